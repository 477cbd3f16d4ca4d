"""Makes each peer's own environment under BENCH_DIR from its pinned requirements, again when they change."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from places import scratch

REQUIREMENTS = Path(__file__).resolve().parent / "peers"
#: The oldest Python that a peer runs on; the others run on Duly's.
OLDEST = {"oban": (3, 12)}
INSTALL_SECONDS = 600


class NotInstalled(Exception):
    """A peer cannot be measured here; the text says why."""


def python_of(peer: str) -> str:
    """The interpreter of a peer's environment.

    Raises:
        NotInstalled: there is no Python for it, or its packages cannot be had.
    """
    requirements = REQUIREMENTS / f"requirements-{peer}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    place = scratch() / f"venv-{peer}"
    python, stamp = place / "bin" / "python", place / "requirements.sha256"
    if not (stamp.exists() and stamp.read_text() == digest):
        shutil.rmtree(place, ignore_errors=True)
        _call(peer, [_interpreter(OLDEST.get(peer, (3, 11))), "-m", "venv", str(place)])
        _call(peer, [str(python), "-m", "pip", "install", "--quiet", "-r", str(requirements)])
        stamp.write_text(digest)
    return str(python)


def _call(peer: str, command: list[str]) -> None:
    print(f"bench: {peer}: {' '.join(command[1:4])}", file=sys.stderr, flush=True)
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error)
        raise NotInstalled(f"its environment cannot be made: {str(told)[-300:]}") from None


def _interpreter(oldest: tuple[int, int]) -> str:
    """The first Python that is new enough."""
    needed = f"import sys; sys.exit(sys.version_info < {oldest})"
    for candidate in _candidates():
        found = subprocess.run([candidate, "-c", needed], capture_output=True, check=False)
        if found.returncode == 0:
            return candidate
    raise NotInstalled(f"it needs Python {'.'.join(map(str, oldest))} or newer, and none was found")


def _candidates() -> Iterator[str]:
    """This interpreter, those on the PATH, those of pyenv and uv."""
    yield sys.executable
    named = (shutil.which(f"python3.{minor}") for minor in (12, 13, 14))
    yield from (path for path in named if path)
    for folder in (".pyenv/versions", ".local/share/uv/python"):
        yield from sorted(str(path) for path in (Path.home() / folder).glob("*/bin/python3"))
