"""Runs the tasks of a plan (plan.ts) on Ray, and says on stdout how they come on (messages.ts).

    python driver.py PLAN.json

PLAN.json is a file, or the URL of one in a store (`--ray-store`; store.py), which takes the place of a shared folder.
A task is a command of this project. It starts when those that it waits for are done. Where its
worker or node dies, or its process is killed, it is started again; the command goes on from what
the dead one saved. A command that ends with an error of its own is not: it would do so again.
"""

import collections
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

MARK = "@fine-r1 "
#: Lines of a failed command that are shown.
TAIL = 20
#: Seconds between two looks for a node, and between two lines that say so.
WAIT_LOOK, WAIT_SAID = 2.0, 60.0
#: Exit codes that are good: 2 is "good but rows were skipped".
GOOD = (0, 2)


def say(kind, **fields):
    print(MARK + json.dumps({"kind": kind, **fields}), flush=True)


# on a node


def die_with_parent():
    """In the child: the kernel kills it when the worker that started it dies (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def remove_locks(folder, dead):
    """Removes locks that dead attempts of this very task left: from another host, they cannot be told dead.

    `dead` holds the host and process id of each.
    """
    owners = {(host, pid) for host, pid in dead}
    removed = []
    for place, _, names in os.walk(folder) if owners else ():
        for name in names:
            if not name.endswith(".lock"):
                continue
            file = os.path.join(place, name)
            try:
                with open(file, encoding="utf-8") as opened:
                    owner = json.load(opened)
                if (owner["host"], owner["pid"]) in owners:
                    os.unlink(file)
                    removed.append(file)
            except (OSError, ValueError, KeyError, TypeError):
                continue  # gone meanwhile, or no lock of this project
    return removed


def command_of(plan, task):
    node = plan["node"] if os.access(plan["node"], os.X_OK) else "node"
    tsx = os.path.join(plan["root"], "node_modules/tsx/dist/loader.mjs")
    return [node, "--import", tsx, os.path.join(plan["root"], "cli/fine-r1.ts"), *task["args"]]


def environment_of(plan):
    """The worker's environment without what is Ray's (its token too), and with what the plan says."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {"TF_CPP_MIN_LOG_LEVEL": "3", **own, "FINE_R1_REWRITE": "1", **plan["env"]}


def interval_after(seconds):
    """Seconds between two progress lines: they grow, so that the log of a long job stays short."""
    return min(60.0, max(2.0, seconds / 150))


def run_command(plan, task, dead, started, progress):
    """Runs a task's command. `started(host, pid)` is called before it does anything, `progress(text)` now and then.

    Returns its exit code (below 0: the signal that killed it) and its last lines.
    """
    remove_locks(plan["locks"], dead)
    child = subprocess.Popen(
        command_of(plan, task),
        cwd=plan["cwd"],
        env=environment_of(plan),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=die_with_parent,
    )
    started(socket.gethostname(), child.pid)
    tail = collections.deque(maxlen=TAIL)
    begun = time.monotonic()
    said, rest = 0.0, b""
    while piece := os.read(child.stdout.fileno(), 65536):
        *lines, rest = re.split(rb"[\r\n]+", rest + piece)
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            if not text:
                continue
            # a progress line is shown in place of the one before
            if tail and is_bar(tail[-1]) and is_bar(text):
                tail.pop()
            tail.append(text)
        now = time.monotonic() - begun
        if lines and tail and now - said >= interval_after(now):
            said = now
            progress(tail[-1])
    if rest.strip():
        tail.append(rest.decode("utf-8", "replace").strip())
    return {"code": child.wait(), "tail": list(tail)}


def run_task(plan, task, attempt, dead, started, progress):
    """`run_command`, between fetching and putting up its files where the plan has a store."""

    def command():
        return run_command(plan, task, dead, started, progress)

    if plan.get("store") is None:
        return command()
    sys.path.insert(0, os.path.join(plan["root"], "lib/cluster"))
    import store_task

    return store_task.run(plan, task, attempt, progress, command)


def is_bar(text):
    return "█" in text or "░" in text


# on the head


def run_tasks(plan, cluster):
    """Runs all tasks. `cluster` is Ray, or what a test has in its place.

    cluster.submit(task, attempt, dead) -> a handle
    cluster.wait(handles, seconds) -> those that have ended
    cluster.result(handle) -> ("ended", {code, tail}) | ("lost", reason) | ("broken", reason)
    cluster.news() -> (task id, "started", host, pid) and (task id, "progress", text), in order
    Returns how many tasks have failed or were skipped.
    """
    waiting = {task["id"]: task for task in plan["tasks"]}
    done, failed, running, processes = set(), set(), {}, collections.defaultdict(list)
    attempts = collections.Counter()

    def start(task):
        attempts[task["id"]] += 1
        running[cluster.submit(task, attempts[task["id"]], list(processes[task["id"]]))] = task

    def hear():
        for name, what, *rest in cluster.news():
            if what == "started":
                processes[name].append(tuple(rest))
                say("started", task=name, attempt=attempts[name], host=rest[0], pid=rest[1])
            else:
                say("progress", task=name, text=rest[0])

    def end(task, how, value):
        name = task["id"]
        code = value["code"] if how == "ended" else None
        if code in GOOD:
            done.add(name)
            return say("done", task=name)
        lost = how == "lost" or (code is not None and code < 0)
        reason = f"its process was killed (signal {-code})" if code is not None and code < 0 else value
        if lost and attempts[name] <= plan["retries"]:
            say("retry", task=name, attempt=attempts[name] + 1, reason=str(reason))
            return start(task)
        failed.add(name)
        if code is not None and code > 0:
            reason = value.get("reason") or f"its command ended with exit code {code}"
        if lost and plan["retries"]:
            reason = f"{reason}, after {attempts[name]} attempts"
        return say("failed", task=name, reason=str(reason), tail=value["tail"] if how == "ended" else [])

    while waiting or running:
        for name, task in list(waiting.items()):
            lacking = [one for one in task["after"] if one in failed]
            if lacking:
                del waiting[name]
                failed.add(name)
                say("skipped", task=name, reason=f"it waits for {lacking[0]}")
            elif all(one in done for one in task["after"]):
                del waiting[name]
                start(task)
        if not running:
            continue
        ended = cluster.wait(list(running), 1.0)
        hear()
        for handle in ended:
            task = running.pop(handle)
            end(task, *cluster.result(handle))
    say("end", failed=len(failed))
    return len(failed)


def remote_task(plan, task, attempt, dead, board):
    """A task's command on the node that Ray has chosen.

    The board is never waited for: while a task waits for Ray, Ray gives its cores to another.
    """
    return run_task(
        plan,
        task,
        attempt,
        dead,
        lambda host, pid: board.add.remote((task["id"], "started", host, pid)),
        lambda text: board.add.remote((task["id"], "progress", text)),
    )


class Board:
    """What tasks say, until the driver asks for it; an actor beside the driver."""

    def __init__(self):
        self.news = []

    def add(self, entry):
        self.news.append(entry)

    def take(self):
        taken, self.news = self.news, []
        return taken


def do_nothing():
    return None


class RayCluster:
    def __init__(self, plan):
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self.ray, self.plan = ray, plan
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.board = ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()
        # Ray itself retries nothing: what an attempt left is known here
        self.task = ray.remote(remote_task)
        self.options = {
            "num_cpus": plan["cpus"],
            "num_gpus": plan["gpus"],
            "max_retries": 0,
            "scheduling_strategy": "SPREAD",
        }

    def submit(self, task, attempt, dead):
        return self.task.options(name=task["id"], **self.options).remote(self.plan, task, attempt, dead, self.board)

    def wait(self, handles, seconds):
        return self.ray.wait(handles, num_returns=1, timeout=seconds)[0]

    def result(self, handle):
        try:
            return "ended", self.ray.get(handle)
        except self.ray.exceptions.RayTaskError as error:
            return "broken", f"it could not be started: {error.cause}"
        except self.ray.exceptions.RayError as error:
            return "lost", f"its worker or node died ({type(error).__name__})"

    def news(self):
        return self.ray.get(self.board.take.remote())

    def nodes(self):
        return [node["Resources"] for node in self.ray.nodes() if node["Alive"]]

    @contextlib.contextmanager
    def ask(self):
        """A task that does nothing and asks for what every task asks for."""
        limits = {name: self.options[name] for name in ("num_cpus", "num_gpus")}
        wanted = self.ray.remote(do_nothing).options(name="wanted", max_retries=0, **limits).remote()
        try:
            yield
        finally:
            self.ray.cancel(wanted)


def counted(number, what):
    return f"{number} {what}" + ("" if number == 1 else "s")


def lacking(plan, nodes):
    """What no node has for a task; None where one has it. `nodes` holds the resources of each."""
    if any(node.get("CPU", 0) >= plan["cpus"] and node.get("GPU", 0) >= plan["gpus"] for node in nodes):
        return None
    asked = counted(plan["cpus"], "core") + (f" and {counted(plan['gpus'], 'GPU')}" if plan["gpus"] else "")
    return f"no node has {asked} for a task"


def describe(nodes):
    total = {name: sum(node.get(name, 0) for node in nodes) for name in ("CPU", "GPU")}
    say("cluster", nodes=len(nodes), cpus=total["CPU"], gpus=total["GPU"])


def wait_for_node(plan, cluster, sleep=time.sleep, clock=time.monotonic):
    """Waits until a node can take a task, `plan["wait"]` seconds at most: workers may join later than the job.

    cluster.nodes() -> the resources of each node that is alive
    cluster.ask() -> a context in which Ray knows that a node is wanted: an autoscaler starts one only then
    Returns why no node can take one; None as soon as one can.
    """
    nodes = cluster.nodes()
    describe(nodes)
    reason = lacking(plan, nodes)
    if reason is None or not plan["wait"]:
        return reason and f"{reason}; see --ray-cpus, --ray-gpus and --ray-wait"
    begun, said = clock(), None
    with cluster.ask():
        while reason is not None:
            waited = clock() - begun
            if waited >= plan["wait"]:
                return f"{reason}, after {round(waited)} s; see --ray-cpus, --ray-gpus and --ray-wait"
            if said is None or waited - said >= WAIT_SAID:
                said = waited
                say("waiting", reason=f"{reason} yet; waiting for one, {round(plan['wait'] - waited)} s at most")
            sleep(min(WAIT_LOOK, plan["wait"] - waited))
            nodes = cluster.nodes()
            reason = lacking(plan, nodes)
    describe(nodes)
    return None


def read_plan(place):
    """A plan from a file or a store. OSError or store.StoreError where there is none."""
    if "://" not in place:
        with open(place, encoding="utf-8") as opened:
            return json.load(opened)
    import store

    folder, _, name = place.rpartition("/")
    return json.loads(store.open_store(folder).read(name))


def main(place):
    import ray

    try:
        plan = read_plan(place)
    except Exception as error:
        if "://" not in place:
            raise
        say("refused", reason=f"the plan cannot be read: {error or type(error).__name__}")
        return 1
    ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
    cluster = RayCluster(plan)
    reason = wait_for_node(plan, cluster)
    if reason:
        say("refused", reason=reason)
        return 1
    return 1 if run_tasks(plan, cluster) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
