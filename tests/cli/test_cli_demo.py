"""`duly demo`, for real: the server is killed, nothing is lost, and every figure was measured."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_under_test import PATIENCE, environment

COMMAND = [sys.executable, "-m", "duly.cli", "demo"]


def alive(pid: int) -> bool:
    """Whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def processes_of(folder: Path) -> list[int]:
    """The server's child, as its log names it, and the supervisor that started it."""
    child = int(re.findall(r"child.started pid=(\d+)", (folder / "server.log").read_text())[-1])
    status = Path(f"/proc/{child}/status").read_text()
    return [child, int(re.findall(r"PPid:\t(\d+)", status)[0])]


@pytest.mark.slow
def test_the_demo_keeps_its_promises(tmp_path: Path) -> None:
    """Killed after three steps, done in two attempts, nothing computed twice, one signed answer."""
    done = subprocess.run(
        COMMAND, env=environment(TMPDIR=str(tmp_path)), capture_output=True, text=True, timeout=PATIENCE
    )
    assert (done.returncode, done.stderr) == (0, "")
    last = json.loads(done.stdout.splitlines()[-1])
    told = {name: last[name] for name in ("demo", "attempts", "steps", "steps_recomputed", "deliveries")}
    assert told == {"demo": "ok", "attempts": 2, "steps": 9, "steps_recomputed": 0, "deliveries": 1}
    assert last["findings"] > 20
    assert not alive(last["killed_pid"])
    assert "3 of 9 steps read from the record, 0 recomputed" in done.stdout
    assert list(tmp_path.iterdir()) == []


def heed_interrupts() -> None:
    """A shell starts what it runs in the background deaf to SIGINT, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path, stop: signal.Signals) -> None:
    """Ctrl-C or SIGTERM ends it with exit code 130; its server and its folder are gone."""
    with subprocess.Popen(
        COMMAND,
        env=environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,  # noqa: PLW1509 - the test starts no threads
    ) as demo:
        assert demo.stdout is not None
        serving = next(line for line in demo.stdout if "http://" in line)
        [folder] = tmp_path.iterdir()
        pids = processes_of(folder)
        demo.send_signal(stop)
        *_, last = demo.stdout
        assert demo.wait(PATIENCE) == 130
    assert serving
    assert len(pids) == 2
    assert json.loads(last) == {"demo": "failed", "reason": "interrupted"}
    assert [pid for pid in pids if alive(pid)] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_document_without_text_fails_the_demo_with_the_reason(tmp_path: Path) -> None:
    """The last line says what happened, and the exit code is 1."""
    (tmp_path / "a.bin").write_bytes(bytes(100))
    done = subprocess.run(
        [*COMMAND, "--file", "a.bin"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    last = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, last["demo"]) == (1, "failed")
    assert last["reason"].startswith("the task is failed: ")
