"""Readers of one owner's tasks who are cut at random: each line must arrive, in order, whatever is cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from abc import ABC, abstractmethod
from collections import defaultdict
from typing import Any

import httpx2
import websockets

from support.cluster import until
from support.live_site import Server, events, opened

OWNER = "ann"
#: How long a reader reads before he is cut, in seconds, at most.
LONGEST = 0.4


class Reader(ABC):
    """What one reader got; he comes back to whichever server chance chooses."""

    def __init__(self, servers: list[Server], seed: int) -> None:
        self._servers = servers
        self._chance = random.Random(seed)  # noqa: S311 - where to cut
        self.place = ""
        self.resets = 0
        self.cuts = 0
        self.got: list[tuple[str, int]] = []

    async def read(self, over: asyncio.Event, cuts: int) -> None:
        """Is cut so many times, then reads on until it is over."""
        while self.cuts < cuts:
            with contextlib.suppress(TimeoutError, OSError, websockets.ConnectionClosed):
                async with asyncio.timeout(self._chance.uniform(0.02, LONGEST)):
                    await self.connect(self._chance.choice(self._servers))
            self.cuts += 1
        rest = asyncio.create_task(self.connect(self._servers[0]))
        await over.wait()
        rest.cancel()
        await asyncio.gather(rest, return_exceptions=True)

    def note(self, type_: str, place: str, said: Any) -> None:
        """One event or message."""
        self.place = place or self.place
        if type_ == "reset":
            self.resets += 1
        elif said.get("seq"):
            self.got.append((said["task_id"], said["seq"]))

    @abstractmethod
    async def connect(self, server: Server) -> None:
        """Reads until he is cut."""


class SseReader(Reader):
    """Over /api/events."""

    async def connect(self, server: Server) -> None:
        """Until the connection is dropped in the middle of whatever comes."""
        reader, writer = await opened(server, f"/api/events?owner={OWNER}", self.place)
        try:
            async for type_, place, said in events(reader):
                self.note(type_, place, said)
        finally:
            writer.transport.abort()


class SocketReader(Reader):
    """Over /ws/tasks."""

    async def connect(self, server: Server) -> None:
        """Until the connection is dropped in the middle of whatever comes."""
        url = f"ws://127.0.0.1:{server.port}/ws/tasks"
        connection = await websockets.connect(url, proxy=None, compression=None, open_timeout=None)
        try:
            order = {"op": "subscribe", "all": True, "owner": OWNER, "after": self.place}
            await connection.send(json.dumps(order))
            async for text in connection:
                said = json.loads(text)
                self.note(said["type"], said.get("cursor", ""), said)
        finally:
            connection.transport.abort()


async def cut(servers: list[Server], *, cuts: int, tasks: int, seed: int) -> dict[str, Any]:
    """Lets readers be cut while tasks run, and compares what they got with what was written."""
    readers = [kind(servers, seed + n) for n in range(2) for kind in (SseReader, SocketReader)]
    over = asyncio.Event()
    reading = [asyncio.create_task(one.read(over, cuts)) for one in readers]
    await until(lambda: all(one.resets for one in readers), 30)
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        ids = await submitted(client, servers, readers, tasks, cuts)
        wanted = {id_: await timeline(client, servers[0], id_) for id_ in ids}
    total = sum(map(len, wanted.values()))
    with contextlib.suppress(AssertionError):  # whoever has not got all by then is judged
        await until(lambda: all(len(set(one.got)) >= total for one in readers), 30, every=0.1)
    over.set()
    await asyncio.gather(*reading)
    return {"tasks": len(ids), "lines": total, **judged(readers, wanted)}


async def submitted(
    client: httpx2.AsyncClient, servers: list[Server], readers: list[Reader], tasks: int, cuts: int
) -> list[str]:
    """Tasks over both servers until all cuts are done, at least so many; all have ended."""
    ids: list[str] = []
    while len(ids) < tasks or any(one.cuts < cuts for one in readers):
        server = servers[len(ids) % len(servers)]
        body = {"task_type": "talk", "owner": OWNER}
        answer = await client.post(f"{server.url}/api/tasks", json=body)
        ids.append(answer.raise_for_status().json()["id"])
        await asyncio.sleep(0.02)
    for id_ in ids:
        task: dict[str, Any] = {"completed_at": None}
        while not task["completed_at"]:
            task = (await client.get(f"{servers[0].url}/api/tasks/{id_}?wait=20")).raise_for_status().json()
    return ids


async def timeline(client: httpx2.AsyncClient, server: Server, id_: str) -> list[int]:
    """The numbers of a task's lines."""
    answer = await client.get(f"{server.url}/api/tasks/{id_}/events")
    return [line["seq"] for line in answer.raise_for_status().json()["events"]]


def judged(readers: list[Reader], wanted: dict[str, list[int]]) -> dict[str, Any]:
    """What is missing, what came out of order or more than once, over all readers."""
    missing = disorder = again = 0
    for one in readers:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for task_id, seq in one.got:
            if seq in found[task_id]:
                again += 1
            else:
                found[task_id].append(seq)
        missing += sum(len(set(seqs) - set(found[id_])) for id_, seqs in wanted.items())
        disorder += sum(found[id_] != sorted(found[id_]) for id_ in wanted)
    return {
        "readers": len(readers),
        "cuts": sum(one.cuts for one in readers),
        "missing": missing,
        "out_of_order": disorder,
        "repeated": again,
        "resets": sum(one.resets for one in readers),
    }
