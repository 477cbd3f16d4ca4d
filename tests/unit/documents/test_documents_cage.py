"""The parsing process is locked in: no network, no other program, no file to write, no secret to see."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from duly.documents.reader import environment

START = """
import ctypes, os, socket, subprocess
from duly.documents import Limits
from duly.documents.cage import lock_in
libc = ctypes.CDLL(None, use_errno=True)
lock_in(Limits())
"""
KNOWN = sys.platform == "linux" and os.uname().machine in {"x86_64", "aarch64"}


def caged(code: str, folder: Path) -> str:
    """What the code prints once its process is locked in."""
    done = subprocess.run([sys.executable, "-c", START + code], capture_output=True, text=True, cwd=folder)
    return (done.stdout.strip() or done.stderr.strip() or "nothing").splitlines()[-1]


@pytest.mark.parametrize(
    "code",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('localhost', 80)",
        "subprocess.run(['true'])",
        "os.system('true')",
        "os.execv('/bin/true', ['true'])",
        "open('kept.txt', 'w')",
    ],
)
def test_python_code_is_refused(code: str, tmp_path: Path) -> None:
    """The audit hook says no in words, on every system."""
    assert caged(code, tmp_path).startswith("PermissionError: a document may not cause this")


@pytest.mark.skipif(not KNOWN, reason="no seccomp filter for this machine")
@pytest.mark.parametrize(
    "call",
    [
        pytest.param("socket(2, 1, 0)", id="socket"),
        pytest.param("socketpair(1, 1, 0, ctypes.byref((ctypes.c_int * 2)()))", id="socketpair"),
        pytest.param("execve(b'/bin/true', None, None)", id="execve"),
    ],
)
def test_machine_code_is_refused(call: str, tmp_path: Path) -> None:
    """The system refuses a socket and a program (EACCES) also to code that does not ask Python."""
    assert caged(f"print(libc.{call}, ctypes.get_errno())", tmp_path) == "-1 13"


def test_files_cannot_grow(tmp_path: Path) -> None:
    """A file opened past Python's own `open` takes not one byte."""
    code = "f = os.open('kept.txt', os.O_CREAT | os.O_WRONLY); import signal; os.write(f, b'x')"
    caged(code, tmp_path)
    assert not (tmp_path / "kept.txt").exists() or (tmp_path / "kept.txt").read_bytes() == b""


def test_the_environment_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child gets what an interpreter needs to start, and no key of this process."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("DULY_DATABASE_URL", "postgresql://u:p@h/d")
    assert "PATH" in environment()
    assert not {"OPENAI_API_KEY", "DULY_DATABASE_URL"} & set(environment())
