"""A real `duly serve` in a folder of its own, for tests and scripts that ask from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from duly.config import load
from duly.runtime import credentials

PATIENCE_SECONDS = 60


@contextmanager
def serving(folder: Path, app: str, modules: Path, **variables: str) -> Iterator[tuple[str, str]]:
    """Its address, without a slash at the end, and its administrator's token, once it is ready.

    Args:
        folder: where it runs and keeps its database; its log lies there too, as `log`.
        app: what it serves, module:name.
        modules: the folder that `app` is imported from.
        **variables: more of its environment; nothing of ours that begins with DULY_ goes along.

    Raises:
        TimeoutError: it was not ready in time.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
    path = os.pathsep.join([str(modules), *filter(None, [kept.get("PYTHONPATH")])])
    environment = {**kept, "PYTHONPATH": path, "NOTIFY_SOCKET": str(folder / "ready"), **variables}
    command = [sys.executable, "-m", "duly.cli", "serve", "--app", app, "--port", "0"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, (folder / "log").open("w") as log:
        ready.bind(str(folder / "ready"))
        ready.settimeout(PATIENCE_SECONDS)
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            url = process.stdout.readline().split()[1] if process.stdout else ""
            ready.recv(4096)
            found = credentials.read(load({"database_url": f"sqlite:///{folder / 'duly.db'}"}, environ={}))
            yield url.rstrip("/"), found.token
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
            if process.stdout:
                process.stdout.close()


def awaited(client: httpx2.Client, id_: str, seconds: float) -> dict[str, Any]:
    """The task once it has ended, although who answers may be killed meanwhile.

    Raises:
        SystemExit: it has not ended in time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            task: dict[str, Any] = client.get(f"/api/tasks/{id_}", headers={"Prefer": "wait=10"}).json()
        except httpx2.TransportError:
            continue
        if task.get("status") in ("completed", "failed", "cancelled"):
            return task
    raise SystemExit(f"the task has not ended within {seconds:g} s")
