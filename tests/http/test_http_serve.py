"""The API under a real server: streams flow, and a stop lets the server drain at once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn
from site_under_test import Site


class QuietServer(uvicorn.Server):
    """Leaves the test run's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


@pytest.fixture
async def served(site: Site) -> AsyncIterator[tuple[Site, QuietServer, asyncio.Task[None], str]]:
    """The app behind uvicorn on a loopback port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(site.api, log_config=None, lifespan="on", timeout_graceful_shutdown=8)
    server = QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.005)
    yield site, server, task, f"http://127.0.0.1:{listener.getsockname()[1]}"
    site.api.state.stopping.set()
    server.should_exit = True
    await task


Served = tuple[Site, QuietServer, "asyncio.Task[None]", str]


async def test_the_server_drains_with_streams_open(served: Served) -> None:
    """Events arrive while the answer is open; when the app stops, stream and server end at once."""
    site, server, task, base = served
    async with httpx2.AsyncClient(base_url=base, headers=site.bearer("ann")) as ann:
        created = await ann.post("/api/tasks", json={"task_type": "echo"})
        path = created.headers["location"] + "/events"
        async with ann.stream("GET", path, headers={"Accept": "text/event-stream"}) as live:
            lines = live.aiter_lines()
            first = [await anext(lines) for _ in range(3)]
            site.api.state.stopping.set()
            server.should_exit = True
            async with asyncio.timeout(5):
                rest = [line async for line in lines]
                await task
    assert first == ["retry: 2000", "", "event: accepted"]
    assert rest[0] == "id: 1"


async def test_a_body_over_the_limit_does_not_upset_the_connection(served: Served) -> None:
    """After a 413 the next request of the same client is answered."""
    site, _, _, base = served
    async with httpx2.AsyncClient(base_url=base, headers=site.bearer("ann")) as ann:
        headers = {"Content-Type": "application/json"}
        refused = await ann.post("/api/tasks", content=b"x" * 1_100_000, headers=headers)
        accepted = await ann.post("/api/tasks", json={"task_type": "echo"})
    assert (refused.status_code, accepted.status_code) == (413, 202)


async def test_head_and_204_carry_no_body_on_the_wire(served: Served) -> None:
    """A real server and client agree about where each answer ends."""
    site, _, _, base = served
    async with httpx2.AsyncClient(base_url=base, headers=site.bearer("ann")) as ann:
        answers = [
            await ann.head("/api/tasks"),
            await ann.options("/api/tasks"),
            await ann.head("/nowhere"),
            await ann.get("/api/tasks"),
        ]
    assert [answer.status_code for answer in answers] == [200, 204, 404, 200]
    assert [len(answer.content) for answer in answers[:3]] == [0, 0, 0]
