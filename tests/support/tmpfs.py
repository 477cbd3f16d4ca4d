"""A disk of a few megabytes that can really be full: a tmpfs, where the tests may mount one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A folder that is a disk of its own.

    Raises:
        pytest.skip.Exception: no right to mount one.
    """
    disk = folder / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(disk)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], capture_output=True, check=False)


def fill(disk: Path) -> None:
    """Another program takes all that is left."""
    with (disk / "filler").open("ab", buffering=0) as file, contextlib.suppress(_Full):
        for size in (65_536, 4096, 512, 1):
            with contextlib.suppress(_Full):
                while True:
                    _write(file.fileno(), bytes(size))


class _Full(Exception):
    """There is no byte left."""


def _write(descriptor: int, data: bytes) -> None:
    try:
        if os.write(descriptor, data) < len(data):
            raise _Full
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise _Full from None
