"""A disk of a few megabytes that can really be full: a tmpfs, where the tests may mount one."""

from __future__ import annotations

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
    with (disk / "filler").open("ab", buffering=0) as file:
        for size in (65_536, 4096, 512, 1):
            while _written(file.fileno(), bytes(size)):
                pass


def _written(descriptor: int, data: bytes) -> bool:
    """Whether there was room for all of it."""
    try:
        return os.write(descriptor, data) == len(data)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False
