"""A command line in a folder of its own: `shell("ls", "--json")` in this process, and real ones beside it."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, PATIENCE, Said, Shell, environment
from typer.testing import CliRunner

from duly.cli.main import app
from duly.config import load
from duly.runtime.app import App
from duly.runtime.load import load_declared
from duly.runtime.worker import Worker


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and an environment that says nothing of another installation."""
    for name in [name for name in os.environ if name.startswith("DULY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.delenv("LC_MESSAGES", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def shell() -> Shell:
    """Runs one command in this process."""

    def run(*arguments: object, stdin: bytes = b"") -> Said:
        result = CliRunner().invoke(app, [str(one) for one in arguments], input=stdin, catch_exceptions=False)
        return Said(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def work() -> Callable[[], None]:
    """Runs what is due in this folder's database, in this process."""

    async def once() -> None:
        settings = load({"app": APP, "log_level": "error"})
        app_ = App(settings, load_declared(settings))
        await app_.start()
        worker = Worker(app_)
        await worker.start()
        await worker.until_idle()
        await worker.stop()
        await app_.stop()

    return lambda: asyncio.run(once())


@pytest.fixture
def submit(shell: Shell) -> Callable[..., dict[str, Any]]:
    """Submits a task and answers it: `submit("greet", "name=Ann")`."""

    def one(*arguments: object) -> dict[str, Any]:
        said = shell("submit", *arguments, "--app", APP, "--json")
        assert said.code == 0, said.err
        task: dict[str, Any] = said.json
        return task

    return one


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A real `duly serve` for all tests that ask for one: its folder and its URL."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "duly.cli", "serve", "--app", APP, "--port", "0", "--log-level", "error"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(folder / "ready"))
        ready.settimeout(PATIENCE)
        told = environment(NOTIFY_SOCKET=str(folder / "ready"))
        process = subprocess.Popen(command, cwd=folder, env=told, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert b"READY=1" in ready.recv(4096)
            yield folder, line.split()[1]
        finally:
            process.terminate()
            process.wait(PATIENCE)
            process.stdout.close()


@pytest.fixture
def server(site: tuple[Path, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the server, whose folder becomes the working folder."""
    monkeypatch.chdir(site[0])
    return site[1]
