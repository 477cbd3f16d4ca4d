"""Faults on demand: at the named place, at the asked pass, once if asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from duly import failpoints
from duly.failpoints import FailpointError, failpoint


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets what DULY_FAILPOINTS would say."""
    return lambda text: monkeypatch.setattr(failpoints, "_points", failpoints._parse(text))


def passes(name: str, times: int) -> list[bool]:
    """For each pass, whether it went through."""
    through = []
    for _ in range(times):
        try:
            failpoint(name)
            through.append(True)
        except FailpointError:
            through.append(False)
    return through


def test_nothing_asked_for_means_nothing_happens(ask) -> None:
    """In production a failpoint is a look-up."""
    ask("")
    assert passes("step.recorded", 3) == [True] * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("here=raise", [False, True, True]),
        ("here=raise@1", [False, True, True]),
        ("here=raise@3", [True, True, False]),
        ("there=raise;here=raise@2", [True, False, True]),
        ("there=raise", [True, True, True]),
    ],
)
def test_a_fault_happens_at_its_pass(ask, text: str, expected: list[bool]) -> None:
    """The third pass of `@3`, and not at other places."""
    ask(text)
    assert passes("here", 3) == expected


def test_a_file_keeps_a_fault_from_happening_again(ask, tmp_path: Path) -> None:
    """After a restart the same variable is set, and the second life goes through."""
    once = tmp_path / "once"
    for expected in (False, True):
        ask(f"here=raise?{once}")
        assert passes("here", 1) == [expected]
    assert once.read_text() == str(os.getpid())


def test_kill_is_a_kill(tmp_path: Path) -> None:
    """SIGKILL: nothing is cleaned up and nothing after it runs."""
    code = (
        "from duly.failpoints import failpoint as f\nf('a'); print('alive', flush=True); f('a'); print('no')"
    )
    environment = {**os.environ, "DULY_FAILPOINTS": "a=kill@2"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (-9, "alive\n")


def test_hang_stands_still_until_somebody_continues_it() -> None:
    """As a host does that is paused: all threads stop, and go on where they stood."""
    code = "from duly.failpoints import failpoint as f\nf('a'); print('went on', flush=True)"
    environment = {**os.environ, "DULY_FAILPOINTS": "a=hang"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    )
    _, state = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(state)
    process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=10)
    assert (process.returncode, said) == (0, "went on\n")
