"""One tender through a real `duly serve`: uploaded, its worker killed, recovered, answered by webhook."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from duly.config import Settings
from duly.http.identity import issue_jwt
from duly.runtime import credentials
from duly_apps.tender.samples import sample
from support.receiver import Receiver

KILL_AFTER = 3
PATIENCE = 60

Json = dict[str, Any]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[str]:
    """The address of a server whose child is killed once, after its third recorded step."""
    command = ["-m", "duly.cli", "serve", "--apps", "tender", "--port", "0", "--log-file", "server.log"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(str(folder / "ready"))
        ready.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=folder, env=environment(folder), stdout=PIPE
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                address = (await process.stdout.readline()).decode().split()[1]
                await asyncio.get_running_loop().sock_recv(ready, 4096)
            yield address
        finally:
            process.terminate()
            assert await process.wait() == 0


def environment(folder: Path) -> dict[str, str]:
    """Ours, without another installation's settings, and with the fault that is rehearsed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
    return {
        **kept,
        "NOTIFY_SOCKET": str(folder / "ready"),
        "DULY_WEBHOOK_PRIVATE": "true",
        "DULY_FAILPOINTS": f"step.recorded=kill@{KILL_AFTER}?{folder / 'killed'}",
    }


def secrets(folder: Path) -> credentials.Credentials:
    """The credentials that the server has made."""
    return credentials.read(Settings(database_url=f"sqlite:///{folder / 'duly.db'}"))


async def ended(client: httpx2.AsyncClient, id_: str) -> Json:
    """The task once it has ended; a broken connection is the kill, and is tried again."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                task = dict((await client.get(f"/api/tasks/{id_}", params={"wait": 30})).json())
            except httpx2.TransportError:
                continue
            if task["status"] in ("completed", "failed", "cancelled"):
                return task


async def test_a_tender_survives_its_worker(tmp_path: Path) -> None:
    """kill -9 after three steps: nothing is computed twice, the analysis is whole, one signed answer."""
    async with Receiver() as receiver, serving(tmp_path) as address:
        known = secrets(tmp_path)
        headers = {"Authorization": f"Bearer {issue_jwt(known, 'alice')}"}
        async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=PATIENCE) as client:
            file = ("tender.pdf", sample("smart-campus-zh.pdf").read_bytes())
            answer = await client.post(
                "/api/tasks/bidding/file", files={"file": file}, data={"callback_url": receiver.url}
            )
            assert answer.status_code == 202, answer.text
            task = await ended(client, answer.json()["id"])
            events = (await client.get(f"/api/tasks/{task['id']}/events")).json()["events"]
            await receiver.arrived(1, within=PATIENCE)
    assert (tmp_path / "killed").read_text().isdigit()
    check_recovery(task, events)
    [hook] = receiver.requests
    told = hook.verify(known.webhook_secret)
    assert (told["type"], told["data"]["status"]) == ("task.completed", "completed")
    # Over 20 kB, as here, a webhook says where the result is.
    assert (told["data"]["result_omitted"], told["data"]["url"]) == (True, f"/api/tasks/{task['id']}")


def check_recovery(task: Json, events: list[Json]) -> None:
    """Two attempts, nine steps, the first three of them from the killed attempt; no retry charged."""
    steps = [(event["data"]["name"], event["data"]["attempt"]) for event in events if event["type"] == "step"]
    assert (task["status"], task["attempt"], task["retry_count"]) == ("completed", 2, 0)
    assert len(steps) == len({name for name, _ in steps}) == 9
    assert [attempt for _, attempt in steps] == [1] * KILL_AFTER + [2] * 6
    assert [event["type"] for event in events].count("lost") == 1
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len(task["result"]["tabs"]) == 7
