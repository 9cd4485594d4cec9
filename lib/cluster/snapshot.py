"""Files of a folder as they were at one moment, while a command goes on writing there.

The commands of this project write a file under a temporary name and rename it, or append to it; a folder appears by a
rename too. So a file is held by a hard link: what takes its place later is another file. A look before and a look
after must find the same files; then all of them were there together. A file that grew is a log: its lines up to the
last moment are taken, which is what a kill at that moment would have left.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import time

from store_names import StoreError, is_passing

#: Looks at a folder that changes all the time, and seconds between them.
TRIES, PAUSE = 6, 0.2
_BLOCK = 1 << 20


def hash_file(file, size=None):
    """SHA-256 of a file, or of its first bytes. EOFError where it is shorter."""
    digest, left = hashlib.sha256(), size
    with open(file, "rb") as opened:
        while piece := opened.read(_BLOCK if left is None else min(_BLOCK, left)):
            digest.update(piece)
            left = None if left is None else left - len(piece)
    if left:
        raise EOFError(f"{file}: {left} bytes short")
    return digest.hexdigest()


def scan(runs, top, owns):
    """Files below `top` that `owns(name)`: name -> (inode, bytes, time of change in ns).

    StoreError for a symbolic link: what it leads to may be anywhere. Files that go meanwhile are left out.
    """
    found = {}

    def look(place, name):
        try:
            entry = os.lstat(place)
        except FileNotFoundError:
            return
        if stat.S_ISLNK(entry.st_mode):
            raise StoreError(f"{place}: is a symbolic link; a store takes files only: put what it leads to in its place")
        if stat.S_ISDIR(entry.st_mode):
            with contextlib.suppress(FileNotFoundError):
                for one in os.listdir(place):
                    if not is_passing(one):
                        look(os.path.join(place, one), f"{name}/{one}")
        elif stat.S_ISREG(entry.st_mode) and owns(name):
            found[name] = (entry.st_ino, entry.st_size, entry.st_mtime_ns)

    look(os.path.join(runs, top), top)
    return found


def _hold(file, held):
    """Makes `held` the same file, or a copy where the disk has no hard links."""
    os.makedirs(os.path.dirname(held), exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(held)
    try:
        os.link(file, held)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, held)


def _difference(first, second, may_come):
    """Names that grew, or None where anything else changed. What `may_come` and did is taken out of `second`."""
    for name in [name for name in second if name not in first and may_come(name)]:
        del second[name]
    if first.keys() != second.keys():
        return None
    grown = [name for name in first if first[name] != second[name]]
    same = all(first[name][0] == second[name][0] and first[name][1] < second[name][1] for name in grown)
    return grown if same else None


def take(scanned, runs, known, into, may_come=lambda name: False):
    """Holds the files of one moment in the folder `into`, but for those in `known` (name -> its entry of `scan`).

    `scanned()` is a `scan`. Where `may_come(name)`, a file that comes meanwhile is left for the next time. Returns {name: entry} of all and {name: (held file, bytes)} of those held; None where the
    folder did not come to rest.
    """
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        first = scanned()
        held = {}

        def hold(name):
            held[name] = os.path.join(into, name)
            _hold(os.path.join(runs, name), held[name])

        try:
            for name, entry in first.items():
                if known.get(name) != entry:
                    hold(name)
            second = scanned()
            grown = _difference(first, second, may_come)
            if grown is None:
                continue
            for name in grown:  # a log is never behind the rest
                hold(name)
        except FileNotFoundError:
            continue
        return second, {name: (file, os.stat(file).st_size) for name, file in held.items()}
    return None


def prefix(file, size):
    """The file where it has so many bytes, else a copy of its first ones beside it."""
    if os.stat(file).st_size == size:
        return file
    short = f"{file}.{size}"
    with open(file, "rb") as source, open(short, "wb") as copy:
        left = size
        while left and (piece := source.read(min(_BLOCK, left))):
            copy.write(piece)
            left -= len(piece)
    return short
