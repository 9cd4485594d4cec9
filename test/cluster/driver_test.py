"""The driver without Ray: a cluster of its own in Ray's place, and commands that are scripts."""

import contextlib
import io
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "lib/cluster"))
import driver  # noqa: E402


def task(name, *after):
    return {"id": name, "args": [name], "after": list(after)}


class FakeCluster:
    """Ends one attempt at each look; `outcomes` has those of each task, in order."""

    def __init__(self, outcomes, slots=2):
        self.outcomes = {name: list(these) for name, these in outcomes.items()}
        self.slots, self.heard, self.submitted = slots, [], []

    def submit(self, one, attempt, dead):
        self.submitted.append((one["id"], attempt, dead))
        self.heard.append((one["id"], "started", f"host{attempt}", 100 + attempt))
        return (one["id"], attempt)

    def wait(self, handles, seconds):
        return handles[:1]

    def result(self, handle):
        return self.outcomes[handle[0]].pop(0)

    def news(self):
        taken, self.heard = self.heard, []
        return taken


GOOD = ("ended", {"code": 0, "tail": []})
LOST = ("lost", "its worker or node died (NodeDiedError)")


def run(tasks, outcomes, retries=2):
    cluster, out = FakeCluster(outcomes), io.StringIO()
    with contextlib.redirect_stdout(out):
        failed = driver.run_tasks({"tasks": tasks, "retries": retries}, cluster)
    lines = [json.loads(line[len(driver.MARK) :]) for line in out.getvalue().splitlines()]
    return failed, lines, cluster


def kinds(lines):
    return [(line["kind"], line.get("task")) for line in lines]


class Tasks(unittest.TestCase):
    def test_a_task_starts_when_those_it_waits_for_are_done(self):
        failed, lines, cluster = run([task("a"), task("b", "a"), task("c")], {"a": [GOOD], "b": [GOOD], "c": [GOOD]})
        self.assertEqual(failed, 0)
        self.assertEqual([name for name, _, _ in cluster.submitted], ["a", "c", "b"])
        self.assertEqual(
            kinds(lines),
            [
                ("started", "a"),
                ("started", "c"),
                ("done", "a"),
                ("started", "b"),
                ("done", "c"),
                ("done", "b"),
                ("end", None),
            ],
        )

    def test_rows_that_were_skipped_are_no_failure(self):
        failed, lines, _ = run([task("a")], {"a": [("ended", {"code": 2, "tail": []})]})
        self.assertEqual((failed, kinds(lines)[-2]), (0, ("done", "a")))

    def test_a_dead_node_or_killed_process_is_done_without_and_the_next_attempt_knows_who_died(self):
        killed = ("ended", {"code": -9, "tail": ["half"]})
        failed, lines, cluster = run([task("a")], {"a": [LOST, killed, GOOD]})
        self.assertEqual(failed, 0)
        self.assertEqual(
            cluster.submitted,
            [("a", 1, []), ("a", 2, [("host1", 101)]), ("a", 3, [("host1", 101), ("host2", 102)])],
        )
        reasons = [line["reason"] for line in lines if line["kind"] == "retry"]
        self.assertEqual(reasons, [LOST[1], "its process was killed (signal 9)"])

    def test_there_is_an_end_to_it(self):
        failed, lines, _ = run([task("a"), task("b", "a"), task("c")], {"a": [LOST] * 3, "c": [GOOD]})
        self.assertEqual(failed, 2)
        self.assertIn(("skipped", "b"), kinds(lines))
        self.assertIn(("done", "c"), kinds(lines))
        (said,) = [line for line in lines if line["kind"] == "failed"]
        self.assertEqual(said["reason"], f"{LOST[1]}, after 3 attempts")

    def test_an_error_of_the_command_is_not_tried_again(self):
        outcome = ("ended", {"code": 1, "tail": ["ablations: no such variant"]})
        failed, lines, cluster = run([task("a")], {"a": [outcome]})
        self.assertEqual((failed, len(cluster.submitted)), (1, 1))
        self.assertEqual(lines[1]["tail"], ["ablations: no such variant"])
        self.assertEqual(lines[1]["reason"], "its command ended with exit code 1")

    def test_a_store_that_failed_is_the_reason(self):
        outcome = ("ended", {"code": 1, "tail": [], "reason": "its results are not in the store: it is away"})
        _, lines, _ = run([task("a")], {"a": [outcome]})
        self.assertEqual(lines[1]["reason"], "its results are not in the store: it is away")

    def test_what_no_node_has_is_lacking(self):
        plan = {"cpus": 2, "gpus": 1}
        self.assertIsNone(driver.lacking(plan, [{"CPU": 1}, {"CPU": 4, "GPU": 1}]))
        self.assertIn("2 cores and 1 GPU for a task", driver.lacking(plan, [{"CPU": 8}, {"CPU": 1, "GPU": 4}]))
        self.assertIn("1 core for a task", driver.lacking({"cpus": 1, "gpus": 0}, []))


class GrowingCluster:
    """A cluster whose first worker joins some seconds after its head, where it is asked for."""

    def __init__(self, joins_after):
        self.time, self.joins_after, self.asked_at, self.given_up = 0.0, joins_after, None, False

    def sleep(self, seconds):
        self.time += seconds

    def nodes(self):
        is_up = self.asked_at is not None and self.time - self.asked_at >= self.joins_after
        return [{"memory": 1.0}] + ([{"CPU": 4.0}] if is_up else [])

    @contextlib.contextmanager
    def ask(self):
        self.asked_at = self.time
        try:
            yield
        finally:
            self.given_up = True


class Waiting(unittest.TestCase):
    def wait(self, joins_after, wait, cpus=2):
        cluster, out = GrowingCluster(joins_after), io.StringIO()
        plan = {"cpus": cpus, "gpus": 0, "wait": wait}
        with contextlib.redirect_stdout(out):
            reason = driver.wait_for_node(plan, cluster, cluster.sleep, lambda: cluster.time)
        lines = [json.loads(line[len(driver.MARK) :]) for line in out.getvalue().splitlines()]
        return reason, lines, cluster

    def test_a_node_that_joins_later_is_waited_for(self):
        reason, lines, cluster = self.wait(joins_after=130, wait=300)
        self.assertIsNone(reason)
        self.assertEqual([line["kind"] for line in lines], ["cluster", "waiting", "waiting", "waiting", "cluster"])
        self.assertIn("no node has 2 cores for a task yet; waiting for one, 300 s at most", lines[1]["reason"])
        self.assertIn("240 s at most", lines[2]["reason"])
        self.assertEqual((lines[-1]["nodes"], lines[-1]["cpus"]), (2, 4.0))
        self.assertTrue(cluster.given_up)

    def test_there_is_an_end_to_waiting(self):
        for joins_after, cpus in ((1000, 2), (10, 8)):
            reason, lines, cluster = self.wait(joins_after, wait=90, cpus=cpus)
            self.assertIn(f"no node has {cpus} cores for a task, after 90 s; see --ray-cpus", reason)
            self.assertEqual((cluster.time, cluster.given_up), (90, True))

    def test_nothing_is_waited_for_where_a_node_is_there_or_no_time_is_given(self):
        reason, lines, cluster = self.wait(joins_after=0, wait=0)
        self.assertIn("no node has 2 cores for a task; see", reason)
        cluster.asked_at = 0.0  # its worker is up
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertIsNone(driver.wait_for_node({"cpus": 2, "gpus": 0, "wait": 90}, cluster, self.fail))


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.plan = {"root": "/x", "cwd": self.folder, "node": "/x", "locks": self.folder, "env": {"OWN": "1"}}

    def run_script(self, script, dead=()):
        said = {"started": [], "progress": []}
        command = driver.command_of
        driver.command_of = lambda plan, task: [sys.executable, "-c", script]
        try:
            result = driver.run_command(
                self.plan, {}, dead, lambda *one: said["started"].append(one), said["progress"].append
            )
        finally:
            driver.command_of = command
        return result, said

    def test_its_exit_code_its_last_lines_and_bars_in_place(self):
        script = r"print('first'); print('x \u2591 0/2\rx \u2588 1/2\rx \u2588 2/2'); print('last', end=''); raise SystemExit(3)"
        os.environ["PYTHONIOENCODING"] = "utf-8"
        result, said = self.run_script(script)
        self.assertEqual(result, {"code": 3, "tail": ["first", "x █ 2/2", "last"]})
        self.assertEqual(len(said["started"]), 1)

    def test_a_signal_is_a_code_below_0(self):
        result, _ = self.run_script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        self.assertEqual(result["code"], -9)

    def test_what_is_rays_stays_with_ray(self):
        os.environ["RAY_AUTH_TOKEN"] = "secret"
        self.addCleanup(os.environ.pop, "RAY_AUTH_TOKEN")
        result, _ = self.run_script("import os; print(os.environ.get('RAY_AUTH_TOKEN'), os.environ['OWN'])")
        self.assertEqual(result["tail"], ["None 1"])

    def test_it_dies_with_its_worker(self):
        reader, writer = os.pipe()
        worker = os.fork()
        if worker == 0:  # a worker, which is killed while its command runs
            os.close(reader)
            driver.command_of = lambda plan, task: [sys.executable, "-c", "import time; time.sleep(60)"]
            driver.run_command(
                self.plan, {}, (), lambda host, pid: os.write(writer, f"{pid}\n".encode()), lambda text: None
            )
            os._exit(0)
        os.close(writer)
        child = int(os.read(reader, 20))
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        for _ in range(100):
            try:
                with open(f"/proc/{child}/stat") as opened:
                    if opened.read().rpartition(")")[2].split()[0] in "ZX":
                        return
            except FileNotFoundError:
                return
            time.sleep(0.05)
        os.kill(child, signal.SIGKILL)
        self.fail("the command outlived its worker")

    def test_locks_of_dead_attempts_alone_are_removed(self):
        def lock(name, text):
            file = pathlib.Path(self.folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
            return file

        dead = lock("a/sft.lock", json.dumps({"host": "gone", "pid": 7, "token": "t"}))
        other = lock("a/rl.lock", json.dumps({"host": "gone", "pid": 8, "token": "t"}))
        elsewhere = lock("b.lock", json.dumps({"host": "here", "pid": 7, "token": "t"}))
        broken = lock("c.lock", "{")
        plain = lock("d.json", json.dumps({"host": "gone", "pid": 7}))
        self.assertEqual(driver.remove_locks(self.folder, []), [])
        self.assertEqual(driver.remove_locks(self.folder, [["gone", 7]]), [str(dead)])
        self.assertFalse(dead.exists())
        for file in (other, elsewhere, broken, plain):
            self.assertTrue(file.exists())

    def test_a_long_job_says_less(self):
        self.assertEqual([driver.interval_after(s) for s in (0, 300, 3000, 10**6)], [2.0, 2.0, 20.0, 60.0])


if __name__ == "__main__":
    unittest.main()
