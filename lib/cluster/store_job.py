"""What the command's machine does with a job's store. Reads one request, JSON, from stdin; answers JSON on stdout.

    {"action": "begin", "url", "runs", "folder", "plan", "anew"}   before the job: puts up what is here, and the plan
    {"action": "collect", "url", "runs", "folder", "plan"}         after it: fetches what its tasks have left
    {"action": "end", "url", "folder", "jobs"}                     removes jobs that are not needed any more

`url` is the store's, `runs` is `data/runs` here, `folder` the run's folder below it. `begin` first fetches what jobs
have left whose command was ended before it could; not with `anew`. Exit code 1 with one line on stderr where the store
is no use.
"""

import json
import os
import re
import sys

import store
import store_task
from store_names import Everything, StoreError, checked

_JOB = re.compile(r"^job-\d{14}-[0-9a-f]{8}$")
PLAN = "plan.json"


def _conflicts(record, base, runs):
    """Files that have another content here than before the job and after it."""
    files, removed = record
    changed = []
    for name in (*files, *removed):
        here = store._hash_here(store._place(runs, name))
        if here is not None and here not in (base.get(name), files[name][0] if name in files else None):
            changed.append(name)
    return changed


def collect(job, plan, runs, folder, careful=False):
    """Fetches what tasks have left, each task whole or not at all.

    `careful`: of a job whose command ended before it could; a task is left where its files have changed here since.
    Returns how many files were fetched, what was moved aside, and the tasks that were left.
    """
    fetched, moved, left = 0, [], []
    tasks = plan["tasks"]
    before = store.view_of(job, ["command"], plan["store"]["tops"])
    base = {name: entry[0] for name, entry in before.items()}
    for task in tasks:
        found = store_task.last_attempt(job, tasks, task)
        if found is None:
            continue
        writer, record = found
        if careful and _conflicts(record, base, runs):
            left.append(task["id"])
            continue
        owner = store_task.owner_of(tasks, task)
        view = store.apply(before, record, writer, [folder])
        own = {name: entry for name, entry in view.items() if owner.owns(name)}
        foreign = [name for name in record[0] if name not in own]
        if foreign:
            raise StoreError(f"{job.url}/{writer}: holds {foreign[0]!r}, which is not of its task; nothing of it was taken")
        aside = os.path.join(runs, ".set-aside", plan["store"]["job"], writer)
        try:
            needed, extra = store.restore(job, own, runs, [folder], owner, base=base, aside=aside)
        except FileNotFoundError as error:
            raise StoreError(f"{job.url}: a record names what is not there: {error}; was the folder changed by hand?")
        fetched += len(needed)
        if os.path.isdir(aside):
            moved.append(os.path.relpath(aside, runs))
    return {"fetched": fetched, "moved": moved, "left": left}


def begin(of_run, request):
    runs, folder, plan = request["runs"], checked(request["folder"], "--ray-store"), request["plan"]
    name = plan["store"]["job"]
    earlier = [one for one in of_run.list() if _JOB.match(one) and one != name]
    left, broken = [], []
    for one in [] if request.get("anew") else earlier:
        job = of_run.below(one)
        try:
            before = json.loads(job.read(PLAN))
            before["store"]["job"] = one
            left += collect(job, before, runs, folder, careful=True)["left"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            continue  # it did not come as far as its first task
        except StoreError as error:
            broken.append(f"{one}: {error}")
            earlier = [name for name in earlier if name != one]  # it stays to be looked at
    job = of_run.below(name)
    writer = store.Writer(job, "command", runs, plan["store"]["tops"], Everything())
    if not any(writer.publish() for _ in range(store_task.ROUNDS)):
        raise StoreError(f"{os.path.join(runs, folder)}: changes all the time; wait for the process that writes there")
    job.write(PLAN, json.dumps(plan).encode())
    return {"earlier": earlier, "left": left, "broken": broken}


def main(request):
    action, folder = request["action"], request["folder"]
    of_run = store.open_store(request["url"]).below(folder)
    if action == "begin":
        return begin(of_run, request)
    if action == "collect":
        plan = request["plan"]
        return collect(of_run.below(plan["store"]["job"]), plan, request["runs"], folder)
    for name in request["jobs"]:
        if _JOB.match(name):
            of_run.below(name).remove_all()
    return {}


if __name__ == "__main__":
    try:
        print(json.dumps(main(json.load(sys.stdin))))
    except (StoreError, OSError) as error:
        sys.exit(f"{error}")
