"""Names of files in a store: which may come from one, whose they are, and in which order they are put in place.

A name is a path below `data/runs`, with `/` between its parts.
"""

import re

#: Of what is being written, or held by a process of one host: none of it means anything elsewhere.
_PASSING = re.compile(r"(\.lock|\.takeover|\.tmp|\.\d+\.old|ray-plan\.json)$")


class StoreError(Exception):
    """What is wrong with a store, where, and what to do; shown to people as it is."""


def is_passing(part):
    """Whether a file or folder of this name (one part of a path) is a lock, or under way."""
    return _PASSING.search(part) is not None


def checked(name, source):
    """The name itself. Names in a store are data: StoreError for one that would lead out of `data/runs`."""
    parts = name.split("/") if isinstance(name, str) else []
    bad = not parts or any(part in ("", ".", "..") or re.search(r"[\\\x00-\x1f\x7f]", part) for part in parts)
    # a folder of this project's own begins with a dot there (`.store-…`); no run's does
    if bad or parts[0].startswith(".") or len(name.encode("utf-8", "replace")) > 1024:
        raise StoreError(f"{source}: holds the name {name!r}, which is none of a file below data/runs; nothing was taken")
    return name


def rank(name):
    """When a file is put in place: what says that others are whole comes after them.

    0: what predictions answer, which is looked for beside rows; 1: data; 2: the last file of a checkpoint, the manifest
    of a variant; 3: the stamp of a stage's result.
    """
    if name.endswith(".stamp"):
        return 3
    if name.rpartition("/")[2] in ("trainer_state.json", "manifest.json"):
        return 2
    return 0 if name.endswith(".manifest.json") else 1


class _Patterns:
    def __init__(self, patterns):
        self.compiled = [
            (len(one.replace("*", "")), re.compile(".*".join(map(re.escape, one.split("*"))), re.DOTALL))
            for one in sorted(set(patterns))
        ]

    def best(self, name):
        """Letters of the closest pattern that matches; -1 where none does."""
        return max((letters for letters, pattern in self.compiled if pattern.fullmatch(name)), default=-1)


class Owner:
    """Which files are a task's: of all patterns in a plan that match a name, the one with the most letters decides.

    `*` in a pattern stands for any letters, `/` too. Patterns that several tasks have are shared: each of them adds
    files there, and none takes any away.
    """

    def __init__(self, own, others=()):
        """Patterns of the task, and of all others."""
        self.own, self.others = _Patterns(own), _Patterns(others)
        self.alone = _Patterns(one for one in own if one not in set(others))

    def owns(self, name):
        mine = self.own.best(name)
        return mine >= 0 and mine >= self.others.best(name)

    def owns_alone(self, name):
        return self.alone.best(name) > self.others.best(name)


class Everything:
    """Who owns all files: the machine that gave the command, before there are tasks."""

    def owns(self, name):
        return True

    owns_alone = owns
