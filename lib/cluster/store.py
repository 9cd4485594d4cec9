"""A job's files in a store that fsspec knows (s3://…, gs://…, file:///…), in place of a shared folder.

Below the job's URL each writer (the command, or one attempt of a task) has a folder of its own:

    WRITER/data/SHA256        a file's bytes, written once and never changed
    WRITER/NNNNNN-HASH.json   a record: which files it has made or changed, and which it has removed

Why nothing half-written is taken as whole:

- Data goes up first, and the record that names it afterwards. A record's name has the hash of its text: one that was
  cut off is not believed, and the one before it counts. It and its data are removed once the next is up.
- A record is of one moment (snapshot.py): result and stamp, or checkpoint and log, fit each other.
- Whoever fetches checks the hash of every file, all of them before the first is put in place. Then what says that
  files are whole (a stamp, the last file of a checkpoint) is taken away, the files are put there, and it comes last.
- No two writers share a name. A node that was given up but lives on writes to its own folder, which nobody reads once
  the next attempt has a record. So no locks are needed between hosts, and none are copied: the scheduler runs a task
  once at a time, and on one host locks are what they always are.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
import time

import snapshot
from store_names import StoreError, checked, rank

FORMAT = 1
_RECORD = re.compile(r"^(\d{6})-([0-9a-f]{64})\.json$")
_HASH = re.compile(r"^[0-9a-f]{64}$")
#: Seconds before what a store refused is tried again.
WAITS = (1, 5, 20)
#: Errors that another try meets again: no right to, read alone, no such bucket, a file where a folder should be.
_FINAL = (PermissionError, NotImplementedError, FileNotFoundError, FileExistsError, NotADirectoryError)
#: Looks at a writer that replaces its record meanwhile.
LOOKS = 3


def open_store(url):
    """The store below a URL, as fsspec finds credentials: in its host's environment. StoreError where that is no use."""
    if re.match(r"^[a-z][a-z0-9+.-]*://[^/]*@", url, re.I):
        raise StoreError("--ray-store: the URL has a name or password in it; backends read them from the environment")
    protocol = url.partition("://")[0]
    try:
        import fsspec
    except ImportError:
        raise StoreError(_lacking("fsspec", protocol, "the command with --install-ray instead of --ray puts it there"))
    try:
        fs, root = fsspec.core.url_to_fs(url, **({"auto_mkdir": True} if protocol == "file" else {}))
    except ImportError as error:
        package = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}.get(protocol)
        advice = f".venv-ray/bin/python -m pip install {package}" if package else str(error)
        raise StoreError(_lacking(f"a package for {protocol}://", protocol, advice))
    except ValueError as error:
        raise StoreError(f"--ray-store: {error}")
    return Store(fs, root.rstrip("/"), url.rstrip("/"))


def _lacking(what, protocol, advice):
    return f"--ray-store {protocol}://: {socket.gethostname()} lacks {what} in Ray's Python ({advice}); every node needs it"


class Store:
    """What is done with a store, in fsspec's words; errors name the URL."""

    def __init__(self, fs, root, url, waits=WAITS):
        self.fs, self.root, self.url, self.waits = fs, root, url, waits

    def below(self, name):
        return Store(self.fs, f"{self.root}/{name}", f"{self.url}/{name}", self.waits)

    def _try(self, what, action):
        for wait in (*self.waits, None):
            try:
                return action()
            except Exception as error:  # each backend has errors of its own
                if isinstance(error, FileNotFoundError) and what != "written":
                    raise  # the caller knows what to make of it
                if wait is None or isinstance(error, _FINAL):
                    reason = str(error).strip().split("\n")[0] or type(error).__name__
                    raise StoreError(f"{self.url}: cannot be {what}: {reason}; can {socket.gethostname()} use it?")
                time.sleep(wait)

    def list(self):
        """Files and folders directly below."""
        self.fs.invalidate_cache()
        try:
            found = self._try("listed", lambda: self.fs.ls(self.root, detail=False))
        except FileNotFoundError:
            return []
        return sorted({one.rstrip("/").rpartition("/")[2] for one in found})

    def read(self, name):
        return self._try("read", lambda: self.fs.cat_file(f"{self.root}/{name}"))

    def write(self, name, data):
        self._try("written", lambda: self.fs.pipe_file(f"{self.root}/{name}", data))

    def put(self, files):
        """Files here -> names below; a backend that can sends several at a time."""
        if files:
            self._try("written", lambda: self.fs.put(list(files), [f"{self.root}/{name}" for name in files.values()]))

    def get(self, names):
        """Names below -> files here. FileNotFoundError where one is gone."""
        if names:
            self._try("read", lambda: self.fs.get([f"{self.root}/{name}" for name in names], list(names.values())))

    def remove(self, names):
        """Removes files; what is gone already, or stays, is no fault."""
        for name in names:
            with contextlib.suppress(Exception):
                self.fs.rm_file(f"{self.root}/{name}")

    def remove_all(self):
        with contextlib.suppress(FileNotFoundError):
            self._try("removed", lambda: self.fs.rm(self.root, recursive=True))
        self.fs.invalidate_cache()


# records


def parse_record(text, source):
    """files {name: (hash, bytes, time of change in ns)} and removed names. StoreError where it is none, or has a name that leads away."""
    try:
        record = json.loads(text)
        files = {name: (entry[0], entry[1], entry[2]) for name, entry in record["files"].items()}
        removed = list(record["removed"])
        good = record["format"] == FORMAT and all(
            _HASH.match(sha) and type(size) is int and size >= 0 and type(changed) is int and 0 <= changed < 1 << 63
            for sha, size, changed in files.values()
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        good = False
    if not good:
        raise StoreError(f"{source}: is no record of this version; nothing was taken")
    for name in (*files, *removed):
        checked(name, source)
    return files, removed


def latest_record(store):
    """The last whole record of a writer: (files, removed); None where there is none."""
    names = [name for name in store.list() if _RECORD.match(name)]
    for name in sorted(names, reverse=True):
        try:
            text = store.read(name)
        except FileNotFoundError:
            continue  # replaced by the next one just now
        if hashlib.sha256(text).hexdigest() == _RECORD.match(name)[2]:
            return parse_record(text, f"{store.url}/{name}")
    return None


def apply(view, record, writer, tops):
    """A view, {name: (hash, bytes, time, writer)}, after a writer's record. StoreError for a name that is in none of `tops`."""
    files, removed = record
    for name in (*files, *removed):
        if not any(name == top or name.startswith(f"{top}/") for top in tops):
            raise StoreError(f"{writer} in the store: holds {name!r}, which is not of this job; nothing was taken")
    kept = {name: entry for name, entry in view.items() if name not in removed}
    return {**kept, **{name: (*entry, writer) for name, entry in files.items()}}


def view_of(store, writers, tops):
    """What writers have left, one after another."""
    view = {}
    for writer in writers:
        record = latest_record(store.below(writer))
        if record is not None:
            view = apply(view, record, writer, tops)
    return view


class Writer:
    """Puts up what an owner's files are, as they change. One process, one thread at a time."""

    def __init__(self, store, name, runs, tops, owner, base=None):
        """`base`: {name: (hash, …)} that others see without this writer; what is the same is not put up."""
        self.store, self.runs, self.tops, self.owner = store.below(name), runs, tops, owner
        self.base = {one: entry[0] for one, entry in (base or {}).items() if owner.owns(one)}
        self.known, self.hashes = {}, {}
        self.number, self.record, self.data, self.text = 0, None, set(), None

    def scan(self):
        found = {}
        for top in self.tops:
            found.update(snapshot.scan(self.runs, top, self.owner.owns))
        return found

    def publish(self):
        """Puts up one moment of the files. False where they did not come to rest; StoreError where the store fails."""
        with staging(self.runs) as folder:
            taken = snapshot.take(self.scan, self.runs, self.known, folder, lambda name: not self.owner.owns_alone(name))
            if taken is None:
                return False
            entries, held = taken
            now = {name: self.hashes[name] for name in entries if name not in held}
            try:
                for name, (file, size) in held.items():
                    now[name] = (snapshot.hash_file(file, size), size, entries[name][2])
            except EOFError:
                return False  # a half line was cut off just now
            files = {name: entry for name, entry in now.items() if self.base.get(name) != entry[0]}
            # files of several tasks are added, never taken away: another may have them still
            removed = [name for name in self.base if name not in now and self.owner.owns_alone(name)]
            fresh = {entry[0]: held[name] for name, entry in files.items() if entry[0] not in self.data}
            self._put(fresh)
            self.data |= fresh.keys()
            self._write_record(files, removed)
            self.known, self.hashes = entries, now
            return True

    def _put(self, fresh):
        for _ in range(LOOKS):
            files = {snapshot.prefix(*held): f"data/{sha}" for sha, held in fresh.items()}
            self.store.put(files)
            # a log that grew while it was sent is sent again, as a copy that does not
            fresh = {sha: held for sha, held in fresh.items() if held[0] in files and os.stat(held[0]).st_size != held[1]}
            if not fresh:
                return
        raise StoreError(f"{self.store.url}: a file changed each time it was put up")

    def _write_record(self, files, removed):
        record = {"format": FORMAT, "files": dict(sorted(files.items())), "removed": sorted(removed)}
        text = json.dumps(record).encode()
        if text == self.text:
            return
        self.number += 1
        name, before = f"{self.number:06}-{hashlib.sha256(text).hexdigest()}.json", self.record
        self.store.write(name, text)
        self.text, self.record = text, name
        wanted = {entry[0] for entry in files.values()}
        if before is not None:
            self.store.remove([before, *(f"data/{sha}" for sha in self.data - wanted)])
        self.data &= wanted


# here


@contextlib.contextmanager
def staging(runs):
    """A folder for files under way, on the disk of `runs`; removed at the end, and at the next where a process was killed."""
    start = f".store-{socket.gethostname()}-"
    os.makedirs(runs, exist_ok=True)
    for name in os.listdir(runs):
        pid = name[len(start) :].partition("-")[0] if name.startswith(start) else ""
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            shutil.rmtree(os.path.join(runs, name), ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{start}{os.getpid()}-", dir=runs)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def alone(runs):
    """One process at a time puts files in place here."""
    os.makedirs(runs, exist_ok=True)
    with open(os.path.join(runs, ".store.lock"), "w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


def _place(runs, name):
    """A name's file here. StoreError where a symbolic link stands on the way: it may lead anywhere."""
    place = runs
    for part in name.split("/"):
        place = os.path.join(place, part)
        if os.path.islink(place):
            raise StoreError(f"{place}: is a symbolic link; files from a store are not written through it: remove it")
    return place


def _hash_here(place, size=None):
    try:
        if size is not None and os.stat(place).st_size != size:
            return None
        return snapshot.hash_file(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        raise StoreError(f"{place}: is a folder here and a file in the store; move it away")


def _download(store, needed, folder):
    """All or nothing, each with its hash. FileNotFoundError where one is gone from the store."""
    shas = {}
    for sha, _, _, writer in needed.values():
        shas[sha] = f"{writer}/data/{sha}"
    files = {sha: os.path.join(folder, sha) for sha in shas}
    store.get({place: files[sha] for sha, place in shas.items()})
    for sha, file in files.items():
        if snapshot.hash_file(file) != sha:
            raise StoreError(f"{store.url}/{shas[sha]}: is not what its name says; nothing was taken")
    return files


def restore(store, view, runs, tops, owner, *, base=None, aside, exact=True):
    """Makes the files here those of a view. What is here and has another content is moved to `aside`, unless it is
    what `base` ({name: hash}) says was here; where `exact`, so is what is here of the owner's alone and not in the view.
    All data is fetched and checked before anything changes. FileNotFoundError where the view is outdated.
    """
    base = base or {}
    with alone(runs), staging(runs) as folder:
        here = {name: _hash_here(_place(runs, name), entry[1]) for name, entry in view.items()}
        needed = {name: entry for name, entry in view.items() if here[name] != entry[0]}
        extra = []
        for top in tops if exact else ():
            extra += [name for name in snapshot.scan(runs, top, owner.owns_alone) if name not in view]
        files = _download(store, needed, folder)

        def clear(name):
            place = os.path.join(runs, name)
            if not os.path.lexists(place):
                return
            if name in base and _hash_here(place) == base[name]:
                return os.unlink(place)
            away = os.path.join(aside, name)
            os.makedirs(os.path.dirname(away), exist_ok=True)
            os.replace(place, away)

        for name in sorted((*needed, *extra), key=rank, reverse=True):
            clear(name)
        for name in sorted(needed, key=lambda one: (rank(one), one)):
            place = _place(runs, name)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            temporary = f"{place}.{os.getpid()}.tmp"
            shutil.copyfile(files[needed[name][0]], temporary)
            with open(temporary, "rb") as opened:
                os.fsync(opened.fileno())
            os.replace(temporary, place)
        for name in extra:
            _remove_empty(runs, name)
        for name, (_, _, changed, _) in view.items():  # of a large model it is a part of what results depend on
            if os.stat(os.path.join(runs, name)).st_mtime_ns != changed:
                os.utime(os.path.join(runs, name), ns=(changed, changed))
    return sorted(needed), sorted(extra)


def _remove_empty(runs, name):
    while name := name.rpartition("/")[0]:
        try:
            os.rmdir(os.path.join(runs, name))
        except OSError:
            return
