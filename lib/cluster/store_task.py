"""A task's files on its node: fetched from the job's store before its command, put up while it runs and at its end."""

import contextlib
import os
import threading

import store
from store_names import Owner, StoreError

#: Rounds at the end, when only other tasks still change shared folders.
ROUNDS = 10


def writer_name(index, attempt):
    """The folder of a task's attempt in the store; `index` is the task's place in the plan, from 0."""
    return f"t{index:04}-a{attempt:03}"


def _patterns(tasks):
    return [pattern for task in tasks for pattern in task["writes"]]


def owner_of(tasks, task):
    return Owner(task["writes"], _patterns(one for one in tasks if one["id"] != task["id"]))


def before(tasks, task):
    """The tasks whose results a task sees, in the plan's order: those it waits for, and those that these wait for."""
    wanted = set(task["after"])
    for one in reversed(tasks):  # a task waits for tasks before it alone
        if one["id"] in wanted:
            wanted.update(one["after"])
    return [one for one in tasks if one["id"] in wanted]


def last_attempt(job, tasks, task, below=None):
    """(writer, record) of a task's last attempt that has put anything up, of those below a number; or None."""
    start = writer_name(tasks.index(task), 0)[:-3]
    for name in sorted(job.list(), reverse=True):
        if name.startswith(start) and (below is None or name < f"{start}{below:03}"):
            record = store.latest_record(job.below(name))
            if record is not None:
                return name, record
    return None


def seen_by(job, tasks, task, tops):
    """What a task finds without an attempt of its own. Files of other tasks, which may run beside it, are theirs."""
    earlier = before(tasks, task)
    found = [last_attempt(job, tasks, one) for one in earlier]
    view = store.view_of(job, ["command", *(writer for writer, _ in filter(None, found))], tops)
    known = [task, *earlier]
    busy = Owner(_patterns(one for one in tasks if one not in known), _patterns(known))
    return {name: entry for name, entry in view.items() if not busy.owns_alone(name)}


def fetch(job, plan, task, attempt, runs):
    """Makes this node's files those that the attempt starts from. Returns what others see without the task.

    Without an earlier attempt of its own and without a file of its own from elsewhere, what is here stays: it may be
    what a run on this machine left.
    """
    tasks, tops = plan["tasks"], plan["store"]["tops"]
    owner = owner_of(tasks, task)
    name = writer_name(tasks.index(task), attempt)
    for look in range(store.LOOKS):
        base = seen_by(job, tasks, task, tops)
        own = last_attempt(job, tasks, task, attempt)
        view = store.apply(base, own[1], own[0], tops) if own else base
        exact = own is not None or any(owner.owns_alone(one) for one in view)
        aside = os.path.join(runs, ".set-aside", plan["store"]["job"], name)
        try:
            store.restore(job, view, runs, tops, owner, aside=aside, exact=exact)
            return base
        except FileNotFoundError as error:
            if look + 1 == store.LOOKS:
                raise StoreError(f"{job.url}: a record names what is not there: {error}; was the folder changed by hand?")


@contextlib.contextmanager
def putting_up(writer, seconds, say):
    """Puts files up every so often; a round that fails is said, and the next tries again."""
    over = threading.Event()

    def rounds():
        while not over.wait(seconds):
            try:
                writer.publish()
            except (StoreError, OSError) as error:
                say(f"not yet in the store: {error}")

    thread = threading.Thread(target=rounds, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def run(plan, task, attempt, say, command):
    """Runs `command()` between fetching and putting up. Returns its result; with `reason`, where the store failed."""
    runs = os.path.join(plan["root"], "data", "runs")
    told = plan["store"]
    try:
        job = store.open_store(told["url"])
        base = fetch(job, plan, task, attempt, runs)
        name = writer_name(plan["tasks"].index(task), attempt)
        writer = store.Writer(job, name, runs, told["tops"][:1], owner_of(plan["tasks"], task), base)
    except (StoreError, OSError) as error:
        return {"code": 1, "tail": [], "reason": f"it was not started: {error}"}
    with putting_up(writer, told["every"], say):
        result = command()
    try:
        if any(writer.publish() for _ in range(ROUNDS)):
            return result
        reason = "its files did not come to rest: does another process write there?"
    except (StoreError, OSError) as error:
        reason = str(error)
    good = result["code"] in (0, 2)
    return {**result, "code": 1, "reason": f"its results are not in the store: {reason}"} if good else result
