"""Limits for processes of a test: a prefix of their command that sets one and becomes the command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

#: Where control groups are, and what bounds the memory of one: version 1, version 2.
GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.oom_control", "oom_kill"),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.events", "oom_kill"),
)


def open_files(most: int) -> list[str]:
    """So many descriptors for each process."""
    return ["sh", "-c", f'ulimit -n {most} && exec "$@"', "sh"]


class Group:
    """A control group whose processes may use so much memory together."""

    def __init__(self, path: Path, events: str, word: str) -> None:
        self._path = path
        self._events = events
        self._word = word
        self.prefix = ["sh", "-c", f'echo $$ > {path}/cgroup.procs && exec "$@"', "sh"]

    @property
    def kills(self) -> int:
        """How many of its processes the kernel has killed for it."""
        for line in (self._path / self._events).read_text().splitlines():
            word, _, number = line.partition(" ")
            if word == self._word:
                return int(number)
        return 0


@contextmanager
def memory(megabytes: int) -> Iterator[Group]:
    """A control group of this size; its processes must be gone in the end.

    Raises:
        pytest.skip.Exception: this host lets us make none.
    """
    for root, limit, events, word in GROUPS:
        path = root / f"duly-fault-{os.getpid()}"
        if not (root / "cgroup.procs").exists():
            continue
        try:
            path.mkdir()
        except OSError:
            continue
        try:
            (path / limit).write_text(str(megabytes * 2**20))
        except OSError:
            path.rmdir()
            continue
        try:
            yield Group(path, events, word)
        finally:
            with suppress(OSError):
                path.rmdir()
        return
    pytest.skip("needs the right to make a control group with a limit of memory")
