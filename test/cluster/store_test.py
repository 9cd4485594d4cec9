"""Files of a job in a store: on a store in memory, and on fsspec's own `file://` and `memory://` where fsspec is."""

import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

LIB = pathlib.Path(__file__).parents[2] / "lib/cluster"
sys.path.insert(0, str(LIB))
import snapshot  # noqa: E402
import store  # noqa: E402
import store_job  # noqa: E402
import store_names  # noqa: E402
import store_task  # noqa: E402

HAS_FSSPEC = importlib.util.find_spec("fsspec") is not None


class Memory:
    """What `Store` asks of a file system, on a dictionary; `log` has what changed, in order."""

    def __init__(self):
        self.files, self.log, self.broken = {}, [], None

    def _write(self, place, data):
        if self.broken and self.broken(place):
            raise OSError("the store is away")
        self.files[place] = data
        self.log.append(("write", place))

    def invalidate_cache(self):
        pass

    def ls(self, root, detail):
        inside = [place[len(root) + 1 :] for place in self.files if place.startswith(f"{root}/")]
        if not inside:
            raise FileNotFoundError(root)
        return [f"{root}/{one.partition('/')[0]}" for one in inside]

    def cat_file(self, place):
        if place not in self.files:
            raise FileNotFoundError(place)
        return self.files[place]

    def pipe_file(self, place, data):
        self._write(place, data)

    def put(self, here, there):
        for one, place in zip(here, there):
            self._write(place, pathlib.Path(one).read_bytes())

    def get(self, there, here):
        for place, one in zip(there, here):
            pathlib.Path(one).write_bytes(self.cat_file(place))

    def rm_file(self, place):
        del self.files[place]
        self.log.append(("remove", place))

    def rm(self, root, recursive):
        for place in [one for one in self.files if one.startswith(f"{root}/")]:
            del self.files[place]


def task(name, writes, *after):
    return {"id": name, "args": [name], "after": list(after), "writes": writes}


SFT = task("sft", ["r/models/sft*", "r/logs/sft*", "r/checkpoints/sft-*", "r/settings.json"])
ONE = task("one", ["r/ablations/dev/one/seed-0/*"], "sft")
TWO = task("two", ["r/ablations/dev/two/seed-0/*"], "sft")
SHARED = [task("c1", ["r/cot/cache/*"]), task("c2", ["r/cot/cache/*"])]


def plan_of(tasks, root, job="job-20260101000000-00000001", url="x://y"):
    return {"root": str(root), "tasks": tasks, "store": {"url": url, "tops": ["r", "m"], "job": job, "every": 0.05}}


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.fs = Memory()
        self.job = store.Store(self.fs, "root/r/job", "x://root/r/job", waits=())

    def host(self, name, **files):
        """`data/runs` of a host, with files."""
        runs = self.folder / name / "data/runs"
        runs.mkdir(parents=True, exist_ok=True)
        for place, text in files.items():
            self.write(runs, place, text)
        return runs

    def write(self, runs, place, text):
        file = runs / place
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_name(f"{file.name}.tmp")
        temporary.write_text(text)
        os.replace(temporary, file)

    def files(self, runs):
        return {
            str(file.relative_to(runs)): file.read_text()
            for file in sorted(runs.rglob("*"))
            if file.is_file() and not file.relative_to(runs).parts[0].startswith(".")
        }

    def put(self, runs, writer, owner=None, base=None):
        made = store.Writer(self.job, writer, str(runs), ["r", "m"], owner or store_names.Everything(), base)
        self.assertTrue(made.publish())
        return made

    def aside(self, runs):
        place = runs / ".set-aside"
        return sorted(str(one.relative_to(place)) for one in place.rglob("*") if one.is_file())


class Names(unittest.TestCase):
    def test_none_leads_out_of_the_runs(self):
        for bad in ["", "/etc/passwd", "../x", "r/../../x", "r//x", "r/./x", "r/", "r\\..\\x", "r/\0", ".store-h-1/x", 7, None]:
            with self.assertRaisesRegex(store_names.StoreError, "none of a file below"):
                store_names.checked(bad, "s3://b")
        for good in ["r/models/sft/model.safetensors", "r/[1]/ä b.jsonl", "r/.hidden", "r/..x"]:
            self.assertEqual(store_names.checked(good, ""), good)

    def test_the_closest_pattern_has_a_file(self):
        sft, one = store_task.owner_of([SFT, ONE], SFT), store_task.owner_of([SFT, ONE], ONE)
        self.assertTrue(sft.owns_alone("r/models/sft.stamp"))
        self.assertFalse(sft.owns("r/ablations/dev/one/seed-0/models/sft.stamp"))
        self.assertTrue(one.owns_alone("r/ablations/dev/one/seed-0/models/sft.stamp"))
        self.assertFalse(one.owns("r/ablations/dev/one/seed-01/x"))
        wide = store_names.Owner(["r/*"], ["r/models/sft*"])
        self.assertEqual([wide.owns("r/x"), wide.owns("r/models/sft/x")], [True, False])
        shared = store_task.owner_of(SHARED, SHARED[0])
        self.assertEqual([shared.owns("r/cot/cache/a"), shared.owns_alone("r/cot/cache/a")], [True, False])
        # a pattern has no other signs
        self.assertFalse(store_names.Owner(["r/[a]?*"]).owns("r/axy"))
        self.assertTrue(store_names.Owner(["r/[a]?*"]).owns("r/[a]?y"))

    def test_what_says_that_all_is_whole_comes_last(self):
        names = ["m/sft.stamp", "c/trainer_state.json", "m/a.json", "v/manifest.json", "p/x.jsonl", "p/x.jsonl.manifest.json"]
        self.assertEqual(
            sorted(names, key=store_names.rank),
            ["p/x.jsonl.manifest.json", "m/a.json", "p/x.jsonl", "c/trainer_state.json", "v/manifest.json", "m/sft.stamp"],
        )


class Snapshots(Case):
    def take(self, runs, known=(), **more):
        held = self.folder / "held"
        taken = snapshot.take(
            lambda: snapshot.scan(str(runs), "r", lambda name: True), str(runs), dict(known), str(held), **more
        )
        if taken is None:
            return None
        return {name: pathlib.Path(file).read_bytes()[:size].decode() for name, (file, size) in taken[1].items()}

    def test_locks_and_what_is_under_way_are_left(self):
        runs = self.host("a", **{"r/x.jsonl": "1\n", "r/x.lock": "l", "r/x.lock.takeover": "l", "r/y.12.old/z": "o"})
        (runs / "r/checkpoint-4.77.tmp").mkdir()
        (runs / "r/checkpoint-4.77.tmp/params.safetensors").write_text("half")
        (runs / "r/settings.json.tmp").write_text("half")
        self.assertEqual(self.take(runs), {"r/x.jsonl": "1\n"})

    def test_a_link_is_refused(self):
        runs = self.host("a", **{"r/x": "1"})
        (runs / "r/l").symlink_to("/etc/passwd")
        with self.assertRaisesRegex(store_names.StoreError, "r/l: is a symbolic link"):
            self.take(runs)

    def test_a_log_that_grows_is_not_behind_the_rest(self):
        runs = self.host("a", **{"r/log.jsonl": "1\n", "r/model": "m"})
        real, looks = snapshot.scan, []

        def scan(*args):
            found = real(*args)
            looks.append(found)
            if len(looks) == 1:
                with open(runs / "r/log.jsonl", "a") as log:
                    log.write("2\n")
            return found

        snapshot.scan = scan
        self.addCleanup(setattr, snapshot, "scan", real)
        self.assertEqual(self.take(runs), {"r/log.jsonl": "1\n2\n", "r/model": "m"})

    def test_result_and_stamp_are_of_one_moment(self):
        """A stage that makes its result anew all the time: its stamp and its model always fit each other."""
        runs = self.host("a", **{"r/model": "0", "r/model.stamp": "0"})
        over = threading.Event()

        def stage():
            made = 0
            while not over.is_set():
                made += 1
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(runs / "r/model.stamp")
                self.write(runs, "r/model", str(made))
                time.sleep(0.001)
                self.write(runs, "r/model.stamp", str(made))
                time.sleep(0.004)

        thread = threading.Thread(target=stage)
        thread.start()
        seen = 0
        snapshot_pause, snapshot.PAUSE = snapshot.PAUSE, 0.001
        self.addCleanup(setattr, snapshot, "PAUSE", snapshot_pause)
        try:
            for _ in range(200):
                taken = self.take(runs)
                if taken and "r/model.stamp" in taken:
                    seen += 1
                    self.assertEqual(taken["r/model"], taken["r/model.stamp"])
        finally:
            over.set()
            thread.join()
        self.assertGreater(seen, 0)

    def test_a_folder_that_never_rests_is_left_for_later(self):
        runs = self.host("a", **{"r/x": "0"})
        real, count = snapshot.scan, [0]

        def scan(*args):
            count[0] += 1
            self.write(runs, f"r/y{count[0]}", "y")
            return real(*args)

        snapshot.scan, pause, snapshot.PAUSE = scan, snapshot.PAUSE, 0
        self.addCleanup(setattr, snapshot, "scan", real)
        self.addCleanup(setattr, snapshot, "PAUSE", pause)
        self.assertIsNone(self.take(runs))
        self.assertIn("r/x", self.take(runs, may_come=lambda name: True))


class Records(Case):
    def test_data_goes_up_before_the_record_that_names_it_and_old_data_goes_after_the_next(self):
        runs = self.host("a", **{"r/a": "1", "r/b": "2"})
        writer = self.put(runs, "w")
        kinds = [place.split("/")[4] for what, place in self.fs.log]
        self.assertEqual(kinds[:2], ["data", "data"])
        self.assertTrue(kinds[2].startswith("000001-"))
        self.write(runs, "r/a", "3")
        self.fs.log.clear()
        writer.publish()
        self.assertEqual([what for what, _ in self.fs.log], ["write", "write", "remove", "remove"])
        self.assertIn(hashlib.sha256(b"3").hexdigest(), self.fs.log[0][1])
        self.assertIn("/000002-", self.fs.log[1][1])
        self.assertEqual(len([place for place in self.fs.files if "/data/" in place]), 2)
        self.fs.log.clear()
        writer.publish()
        self.assertEqual(self.fs.log, [])

    def test_a_store_that_goes_away_leaves_the_record_before(self):
        runs = self.host("a", **{"r/a": "1"})
        writer = self.put(runs, "w")
        for part in ("/data/", "/000002-"):
            self.write(runs, "r/a", f"new {part}")
            self.fs.broken = lambda place: part in place
            with self.assertRaisesRegex(store_names.StoreError, "x://root/r/job/w: cannot be written: the store is away"):
                writer.publish()
            files, _ = store.latest_record(self.job.below("w"))
            self.assertEqual(files["r/a"][0], hashlib.sha256(b"1").hexdigest())
        self.fs.broken = None
        writer.publish()
        self.assertEqual(
            store.latest_record(self.job.below("w"))[0]["r/a"][0], hashlib.sha256(b"new /000002-").hexdigest()
        )

    def test_a_bucket_that_is_not_there_is_said_at_once(self):
        def missing(*_):
            raise FileNotFoundError("The specified bucket does not exist")

        self.fs.put = self.fs.pipe_file = missing
        self.job.waits = (60,)
        with self.assertRaisesRegex(store_names.StoreError, "cannot be written: The specified bucket does not exist"):
            self.put(self.host("a", **{"r/a": "1"}), "w")

    def test_a_record_that_was_cut_off_is_not_believed(self):
        self.put(self.host("a", **{"r/a": "1"}), "w")
        self.fs.files[f"root/r/job/w/000002-{'0' * 64}.json"] = b'{"format": 1, "files": {"r/b'
        self.assertEqual(list(store.latest_record(self.job.below("w"))[0]), ["r/a"])

    def test_a_record_is_data(self):
        sha = "0" * 64
        for files, removed in [
            ({"../../x": [sha, 1, 1]}, []),
            ({}, ["/etc/passwd"]),
            ({"r/x": ["../../../y", 1, 1]}, []),
            ({"r/x": [sha, -1, 1]}, []),
            ({"r/x": [sha, True, 1]}, []),
            ({"r/x": [sha, 1, -1]}, []),
            ({"r/x": [sha, 1]}, []),
            ({"r/x": sha}, []),
            ([], []),
        ]:
            text = json.dumps({"format": 1, "files": files, "removed": removed}).encode()
            with self.assertRaisesRegex(store_names.StoreError, "nothing was taken"):
                store.parse_record(text, "x://w")
        for text in (b"[]", b"{}", b"\xff"):
            with self.assertRaises(store_names.StoreError):
                store.parse_record(text, "x://w")

    def test_a_file_of_another_run_is_refused(self):
        text = json.dumps({"format": 1, "files": {"other/x": ["0" * 64, 1, 1]}, "removed": []}).encode()
        self.fs.files[f"root/r/job/w/000001-{hashlib.sha256(text).hexdigest()}.json"] = text
        with self.assertRaisesRegex(store_names.StoreError, "'other/x', which is not of this job"):
            store.view_of(self.job, ["w"], ["r"])


class Restoring(Case):
    def restore(self, runs, owner=None, **more):
        view = store.view_of(self.job, ["w"], ["r", "m"])
        aside = str(runs / ".set-aside")
        return store.restore(self.job, view, str(runs), ["r"], owner or store_names.Everything(), aside=aside, **more)

    def test_files_are_those_of_the_view_and_others_are_set_aside(self):
        self.put(self.host("a", **{"r/same": "s", "r/new": "n", "r/changed": "theirs"}), "w")
        here = self.host("b", **{"r/same": "s", "r/changed": "mine", "r/old/x": "o", "q/other": "q"})
        before = (here / "r/same").stat().st_ino
        self.restore(here)
        self.assertEqual(self.files(here), {"r/same": "s", "r/new": "n", "r/changed": "theirs", "q/other": "q"})
        self.assertEqual((here / "r/same").stat().st_ino, before)
        self.assertEqual(self.aside(here), ["r/changed", "r/old/x"])
        self.assertFalse((here / "r/old").exists())
        self.assertEqual([one for one in os.listdir(here) if one.startswith(".store-")], [])

    def test_what_is_known_of_is_replaced_and_removed(self):
        self.put(self.host("a", **{"r/changed": "theirs"}), "w")
        here = self.host("b", **{"r/changed": "before", "r/gone": "before", "r/gone2": "since"})
        sha = hashlib.sha256(b"before").hexdigest()
        self.restore(here, base={"r/changed": sha, "r/gone": sha, "r/gone2": sha})
        self.assertEqual(self.files(here), {"r/changed": "theirs"})
        self.assertEqual(self.aside(here), ["r/gone2"])

    def test_data_that_was_changed_in_the_store_changes_nothing_here(self):
        self.put(self.host("a", **{"r/a": "1", "r/b": "2"}), "w")
        self.fs.files[f"root/r/job/w/data/{hashlib.sha256(b'2').hexdigest()}"] = b"other"
        here = self.host("b", **{"r/a": "mine"})
        with self.assertRaisesRegex(store_names.StoreError, "is not what its name says"):
            self.restore(here)
        self.assertEqual(self.files(here), {"r/a": "mine"})

    def test_a_link_here_is_not_written_through(self):
        self.put(self.host("a", **{"r/d/a": "1"}), "w")
        here, outside = self.host("b"), self.folder / "outside"
        outside.mkdir()
        (here / "r").mkdir()
        (here / "r/d").symlink_to(outside)
        with self.assertRaisesRegex(store_names.StoreError, "r/d: is a symbolic link"):
            self.restore(here)
        self.assertEqual(os.listdir(outside), [])

    def test_stamps_are_taken_away_first_and_put_there_last(self):
        self.put(self.host("a", **{"r/m": "2", "r/m.stamp": "2", "r/c/trainer_state.json": "2"}), "w")
        here = self.host("b", **{"r/m": "1", "r/m.stamp": "1"})
        moves, replace = [], os.replace

        def watched(source, target):
            moves.append(os.path.relpath(target, here))
            replace(source, target)

        store.os.replace = watched
        try:
            self.restore(here)
        finally:
            store.os.replace = replace
        self.assertEqual(moves, [".set-aside/r/m.stamp", ".set-aside/r/m", "r/m", "r/c/trainer_state.json", "r/m.stamp"])

    def test_what_a_killed_process_left_under_way_is_removed(self):
        here = self.host("b")
        child = subprocess.Popen([sys.executable, "-c", ""])
        child.wait()
        left = here / f".store-{store.socket.gethostname()}-{child.pid}-x"
        living = here / f".store-{store.socket.gethostname()}-{os.getpid()}-x"
        other = here / ".store-elsewhere-1-x"
        for one in (left, living, other):
            one.mkdir()
        with store.staging(str(here)):
            self.assertEqual([one.exists() for one in (left, living, other)], [False, True, True])


class Tasks(Case):
    """Hosts with a `data/runs` each, and nothing between them but the store."""

    def setUp(self):
        super().setUp()
        self.of_run = store.Store(self.fs, "root/r", "x://root/r", waits=())
        opened, store.open_store = store.open_store, self.open
        self.addCleanup(setattr, store, "open_store", opened)
        self.tasks = [SFT, ONE, TWO]

    def open(self, url):
        return self.of_run.below(url.rpartition("/")[2])

    def plan(self, host, number=1):
        name = f"job-20260101000000-0000000{number}"
        return plan_of(self.tasks, self.folder / host, name, f"x://root/r/{name}")

    def begin(self, runs, number=1):
        plan = self.plan("home", number)
        return store_job.begin(self.of_run, {"runs": str(runs), "folder": "r", "plan": plan})

    def collect(self, runs, number=1):
        plan = self.plan("home", number)
        return store_job.collect(self.of_run.below(plan["store"]["job"]), plan, str(runs), "r")

    def run_task(self, host, of, attempt, command):
        said = []
        result = store_task.run(self.plan(host), of, attempt, said.append, command)
        return result, said

    def sft(self, runs):
        def command():
            self.write(runs, "r/models/sft/model", "weights")
            self.write(runs, "r/logs/sft.jsonl", "1\n")
            self.write(runs, "r/models/sft.stamp", "s")
            return {"code": 0, "tail": []}

        return command

    def variant(self, runs, of, text):
        def command():
            self.assertEqual((runs / "r/models/sft/model").read_text(), "weights")
            self.write(runs, f"r/ablations/dev/{of}/seed-0/predictions", text)
            return {"code": 0, "tail": []}

        return command

    def test_results_come_to_later_tasks_and_to_the_command(self):
        home = self.host("home", **{"r/settings.json": "{}", "r/cot/records": "c", "m/model": "base"})
        self.begin(home)
        a, b = self.host("a"), self.host("b")
        self.assertEqual(self.run_task("a", SFT, 1, self.sft(a))[0]["code"], 0)
        self.assertEqual(self.files(a)["m/model"], "base")
        self.assertEqual(self.run_task("b", ONE, 1, self.variant(b, "one", "1"))[0]["code"], 0)
        self.assertEqual(self.run_task("a", TWO, 1, self.variant(a, "two", "2"))[0]["code"], 0)
        self.assertNotIn("r/ablations/dev/one/seed-0/predictions", self.files(a))
        self.collect(home)
        self.assertEqual(
            self.files(home),
            {
                "m/model": "base",
                "r/ablations/dev/one/seed-0/predictions": "1",
                "r/ablations/dev/two/seed-0/predictions": "2",
                "r/cot/records": "c",
                "r/logs/sft.jsonl": "1\n",
                "r/models/sft.stamp": "s",
                "r/models/sft/model": "weights",
                "r/settings.json": "{}",
            },
        )
        self.assertEqual(self.aside(home), [])

    def test_a_task_whose_node_dies_goes_on_elsewhere_from_what_was_put_up(self):
        home, a, b = self.host("home"), self.host("a"), self.host("b")
        self.begin(home)

        class Died(Exception):
            pass

        def until_up(text):
            sha = hashlib.sha256(text.encode()).hexdigest()
            for _ in range(6000):
                if any(place.endswith(sha) for place in self.fs.files) and any("/t0000-a001/0" in p for p in self.fs.files):
                    time.sleep(0.1)
                    return
                time.sleep(0.01)
            self.fail("nothing was put up while the command ran")

        def dies():
            self.write(a, "r/checkpoints/sft-1/checkpoint-4/params", "after 4")
            self.write(a, "r/checkpoints/sft-1/checkpoint-4/trainer_state.json", "4")
            until_up("after 4")
            raise Died  # the final round is not come to

        with self.assertRaises(Died):
            self.run_task("a", SFT, 1, dies)

        def goes_on():
            self.assertEqual((b / "r/checkpoints/sft-1/checkpoint-4/params").read_text(), "after 4")
            shutil.rmtree(b / "r/checkpoints")
            return self.sft(b)()

        self.assertEqual(self.run_task("b", SFT, 2, goes_on)[0]["code"], 0)
        # the first node lives on, and says what it has: nobody looks
        zombie = store.Writer(self.open("x://root/r/job-20260101000000-00000001"), "t0000-a001", str(a), ["r"],
                              store_task.owner_of(self.tasks, SFT))
        zombie.publish()
        self.run_task("a", ONE, 1, self.variant(a, "one", "1"))
        self.collect(home)
        self.assertEqual(set(self.files(home)), {
            "r/ablations/dev/one/seed-0/predictions", "r/logs/sft.jsonl", "r/models/sft.stamp", "r/models/sft/model"})

    def test_a_task_leaves_the_files_of_one_that_runs_beside_it(self):
        home = self.host("home", **{"r/ablations/dev/two/seed-0/partial": "old"})
        self.begin(home)
        a = self.host("a")
        self.run_task("a", SFT, 1, self.sft(a))

        def two():
            self.write(a, "r/ablations/dev/two/seed-0/partial", "new")
            result, _ = self.run_task("a", ONE, 1, self.variant(a, "one", "1"))
            self.assertEqual(result["code"], 0)
            self.assertEqual((a / "r/ablations/dev/two/seed-0/partial").read_text(), "new")
            return {"code": 0, "tail": []}

        self.run_task("a", TWO, 1, two)
        self.collect(home)
        self.assertEqual((home / "r/ablations/dev/two/seed-0/partial").read_text(), "new")

    def test_shared_files_are_added_to_and_never_taken_away(self):
        self.tasks = SHARED
        home = self.host("home", **{"r/cot/cache/0": "0"})
        self.begin(home)
        for number, (host, one) in enumerate(zip("ab", SHARED)):
            runs = self.host(host, **{"r/cot/cache/mine": "m"})

            def command():
                self.write(runs, f"r/cot/cache/{number + 1}", "x")
                return {"code": 0, "tail": []}

            self.run_task(host, one, 1, command)
            self.assertEqual(self.aside(runs), [])
        self.collect(home)
        self.assertEqual(set(self.files(home)), {f"r/cot/cache/{one}" for one in ("0", "1", "2", "mine")})

    def test_a_run_of_this_nodes_own_stays_where_the_store_has_nothing_of_it(self):
        self.begin(self.host("home"))
        a = self.host("a", **{"r/models/sft/model": "weights", "r/models/sft.stamp": "s"})
        self.run_task("a", SFT, 1, lambda: {"code": 0, "tail": []})
        self.assertEqual(set(self.files(a)), {"r/models/sft/model", "r/models/sft.stamp"})
        self.assertEqual(self.aside(a), [])

    def test_a_store_that_fails_is_the_tasks_reason(self):
        self.begin(self.host("home", **{"r/settings.json": "{}"}))
        a = self.host("a")
        self.fs.broken = lambda place: "/t0000-" in place
        result, _ = self.run_task("a", SFT, 1, self.sft(a))
        self.assertEqual(result["code"], 1)
        self.assertRegex(result["reason"], "its results are not in the store: .*the store is away")
        self.fs.broken = None
        for place in [one for one in self.fs.files if "/command/data/" in one]:
            self.spoil(place)
        result, _ = self.run_task("b", SFT, 2, self.fail)
        self.assertRegex(result["reason"], "it was not started: .*is not what its name says")

    def test_a_failed_commands_own_words_stay(self):
        self.begin(self.host("home"))
        self.host("a")
        result, _ = self.run_task("a", SFT, 1, lambda: {"code": 3, "tail": ["why"]})
        self.assertEqual(result, {"code": 3, "tail": ["why"]})

    def test_the_same_command_goes_on_from_a_job_whose_command_was_killed(self):
        home = self.host("home", **{"r/settings.json": "{}"})
        self.begin(home)
        a = self.host("a")
        self.run_task("a", SFT, 1, self.sft(a))
        answer = self.begin(home, 2)
        self.assertEqual(answer, {"earlier": ["job-20260101000000-00000001"], "left": [], "broken": []})
        self.assertEqual((home / "r/models/sft.stamp").read_text(), "s")
        store_job.store.open_store = lambda url: store.Store(self.fs, "root", "x://root", waits=())
        store_job.main({"action": "end", "url": "x://root", "folder": "r", "jobs": [
            "job-20260101000000-00000001", "job-20260101000000-00000002", "../other"]})
        self.assertEqual(self.fs.files, {})

    def test_an_earlier_job_that_is_broken_is_said_and_stays(self):
        home = self.host("home")
        self.begin(home)
        self.run_task("a", SFT, 1, self.sft(self.host("a")))
        for place in [one for one in self.fs.files if "/t0000-a001/data/" in one]:
            self.spoil(place)
        answer = self.begin(home, 2)
        self.assertEqual((answer["earlier"], self.files(home)), ([], {}))
        self.assertRegex(answer["broken"][0], "job-20260101000000-00000001: .*is not what its name says")

    def spoil(self, place):
        self.fs.files[place] = b"other"

    def test_what_was_made_here_since_is_not_replaced_by_an_earlier_job(self):
        home = self.host("home")
        self.begin(home)
        a = self.host("a")
        self.run_task("a", SFT, 1, self.sft(a))
        self.write(home, "r/models/sft/model", "newer")
        self.assertEqual(self.begin(home, 2)["left"], ["sft"])
        self.assertEqual(self.files(home), {"r/models/sft/model": "newer"})


class Opening(unittest.TestCase):
    def test_a_password_in_the_url_is_refused(self):
        with self.assertRaisesRegex(store_names.StoreError, "name or password") as caught:
            store.open_store("s3://key:secret@bucket/x")
        self.assertNotIn("secret", str(caught.exception))

    @unittest.skipIf(HAS_FSSPEC, "fsspec is here")
    def test_without_fsspec_it_says_what_to_do(self):
        with self.assertRaisesRegex(store_names.StoreError, "lacks fsspec in Ray's Python .*--install-ray"):
            store.open_store("file:///x")

    @unittest.skipUnless(HAS_FSSPEC and importlib.util.find_spec("s3fs") is None, "needs fsspec, and no s3fs")
    def test_a_backend_that_is_not_there_is_said(self):
        with self.assertRaisesRegex(store_names.StoreError, "lacks a package for s3://.*-m pip install s3fs"):
            store.open_store("s3://bucket/x")
        with self.assertRaisesRegex(store_names.StoreError, "--ray-store: Protocol not known: nonsense"):
            store.open_store("nonsense://x")


@unittest.skipUnless(HAS_FSSPEC, "needs fsspec")
class RealStores(Tasks):
    """The same on fsspec's `file://`."""

    def setUp(self):
        super().setUp()
        place = self.folder / "store"
        opened = store.Store(*self.real(place), waits=())
        self.of_run = opened.below("r")

        class Files:
            """Files of the store, as `Memory` has them."""

            files = property(lambda _: {
                str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()})

        self.fs = Files()

    def real(self, place):
        import fsspec

        fs, root = fsspec.core.url_to_fs(f"file://{place}", auto_mkdir=True)
        return fs, root, f"file://{place}"

    test_a_store_that_fails_is_the_tasks_reason = None

    def spoil(self, place):
        (self.folder / "store" / place).write_bytes(b"other")

    def test_the_same_command_goes_on_from_a_job_whose_command_was_killed(self):
        home = self.host("home", **{"r/settings.json": "{}"})
        self.begin(home)
        self.run_task("a", SFT, 1, self.sft(self.host("a")))
        request = {"url": f"file://{self.folder}/store", "runs": str(home), "folder": "r", "plan": self.plan("home", 2)}
        answer = subprocess.run([sys.executable, "-B", str(LIB / "store_job.py")], text=True, capture_output=True,
                                input=json.dumps({**request, "action": "begin", "inputs": []}))
        self.assertEqual((answer.returncode, answer.stderr), (0, ""))
        jobs = [*json.loads(answer.stdout)["earlier"], "job-20260101000000-00000002"]
        self.assertEqual((home / "r/models/sft.stamp").read_text(), "s")
        subprocess.run([sys.executable, "-B", str(LIB / "store_job.py")], text=True, check=True, stdout=subprocess.DEVNULL,
                       input=json.dumps({"action": "end", "url": request["url"], "folder": "r", "jobs": jobs}))
        self.assertEqual(self.fs.files, {})


if __name__ == "__main__":
    unittest.main()
