"""A fleet of real processes: several APIs behind nginx, several workers; some go, some are replaced."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support import copies
from support.cluster import Cluster, cluster, until
from support.fleet import NGINX, Api, Nginx, admin, answers

#: Up to five processes start on two processors, which others may use.
pytestmark = pytest.mark.timeout(300)
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.services)]


@pytest.fixture(params=KINDS)
async def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """A database, and no process on it yet."""
    url = copies.Rooms(tmp_path).place(request.param)
    async with cluster(tmp_path, database_url=url, drain=20.0) as one:
        yield one


@pytest.fixture
async def apis(fleet: Cluster) -> AsyncIterator[list[Api]]:
    """Two APIs without a worker, ready."""
    both = [Api(fleet.folder, fleet.settings.database_url)]
    try:
        await both[0].ready()  # it makes the token; two starts at once are tested elsewhere
        both.append(Api(fleet.folder, fleet.settings.database_url))
        await both[1].ready()
        yield both
    finally:
        for api in both:
            api.put_away()


@pytest.fixture
async def proxy(fleet: Cluster, apis: list[Api]) -> AsyncIterator[Nginx]:
    """In front of them."""
    one = Nginx(fleet.folder, apis)
    try:
        await until(lambda: answers(one.base), 30)
        yield one
    finally:
        one.put_away()


async def streamed(client: Any, path: str) -> list[str]:
    """The types of a task's events as they come, up to its end."""
    seen: list[str] = []
    async with (
        asyncio.timeout(120),
        client.stream("GET", path, headers={"Accept": "text/event-stream"}) as live,
    ):
        async for line in live.aiter_lines():
            if line.startswith("event: "):
                seen.append(line.removeprefix("event: "))
            if seen[-1:] == ["completed"]:
                break
    return seen


@needs_nginx
async def test_what_one_api_accepts_another_reads_and_streams(
    fleet: Cluster, apis: list[Api], proxy: Nginx
) -> None:
    """Through a proxy that gives each request to the next: all the events come, and the stream is not held
    back until a buffer is full."""
    fleet.start()
    async with admin(proxy.base, fleet.folder) as client:
        body = {"task_type": "steps", "input": {"n": 5, "pause": 0.2}}
        made = [await client.post("/api/tasks", json=body) for _ in range(2)]
        assert [answer.status_code for answer in made] == [202, 202]
        assert len({answer.headers["x-upstream"] for answer in made}) == 2
        for answer in made:
            path = answer.headers["location"]
            accepted_by = answer.headers["x-upstream"].rpartition(":")[2]
            [other] = [api for api in apis if str(api.port) != accepted_by]
            async with admin(other.base, fleet.folder) as there:
                assert (await there.get(path)).json()["id"] == answer.json()["id"]
            seen = await streamed(client, f"{path}/events")
            assert (seen[0], seen[-1]) == ("accepted", "completed")
            assert (await client.get(path)).json()["result"] == 5


@needs_nginx
async def test_an_api_that_is_replaced_costs_no_request(
    fleet: Cluster, apis: list[Api], proxy: Nginx
) -> None:
    """SIGTERM of one of two while clients submit: each is accepted, and there once. The proxy may ask the
    other again whatever became of the first: the key makes that safe."""
    accepted: list[str] = []
    stopped = asyncio.Event()

    async def submit(number: int) -> None:
        async with admin(proxy.base, fleet.folder) as client:
            while not (stopped.is_set() and len(accepted) % 5 == number % 5):
                key = {"Idempotency-Key": f"{number}-{len(accepted)}"}
                body = {"task_type": "member", "input": {"n": number}}
                answer = await client.post("/api/tasks", json=body, headers=key)
                assert answer.status_code == 202, answer.text
                accepted.append(answer.json()["id"])

    crowd = [asyncio.create_task(submit(number)) for number in range(4)]
    await until(lambda: len(accepted) > 20)
    apis[0].terminate()
    assert await apis[0].ended() == 0
    at_the_end = len(accepted)
    await until(lambda: len(accepted) > at_the_end + 20)
    stopped.set()
    await asyncio.gather(*crowd)
    assert len(set(accepted)) == len(accepted)
    assert await fleet.stats() == {"pending": len(accepted)}


async def test_a_worker_that_is_taken_away_loses_and_charges_nothing(fleet: Cluster) -> None:
    """100 tasks run on two workers, one gets SIGTERM: what it held ends there or goes on at the other one."""
    first, second = fleet.start("first"), fleet.start("second")
    ids = await fleet.submit_many(100, "steps", {"n": 8, "pause": 0.25})
    await until(lambda: len(fleet.ledger("start")) >= 100, 60)
    await until(lambda: {line["pid"] for line in fleet.ledger("step")} == {first.child, second.child}, 60)
    first.terminate()
    assert await first.ended(60) == 0
    for id_ in ids:
        task = await fleet.end(id_, 90)
        assert (task.status, task.retry_count, task.result) == ("completed", 0, 8)
    steps = Counter((line["task"], line["n"]) for line in fleet.ledger("step"))
    assert steps == {(id_, n): 1 for id_ in ids for n in range(8)}
    ends = Counter(line["task"] for line in fleet.ledger("end"))
    assert ends == dict.fromkeys(ids, 1)
    await fleet.sound()


async def test_a_rolling_deploy_of_a_fleet(fleet: Cluster) -> None:
    """Two workers of the old code are replaced one by one by two of the new while tasks come: nothing fails,
    nothing is charged, no step is done twice, and the new code has the last of them."""
    old = [fleet.start(f"old{number}") for number in range(2)]
    for one in old:
        await one.says("worker.started", seconds=60)
    code = fleet.folder / "chaos_app.py"
    code.write_text(code.read_text().replace('note("end"', 'note("new end"'))
    ids: list[str] = []

    async def come(count: int) -> None:
        ids.extend(await fleet.submit_many(count, "steps", {"n": 3, "pause": 0.1}))

    await come(30)
    await until(lambda: fleet.ledger("end"), 60)
    for number, leaving in enumerate(old):
        joining = fleet.start(f"new{number}")
        await joining.says("worker.started", seconds=60)
        leaving.terminate()
        await come(20)
        assert await leaving.ended(60) == 0
    await come(20)
    for id_ in ids:
        task = await fleet.end(id_, 90)
        assert (task.status, task.retry_count, task.result) == ("completed", 0, 3)
    steps = Counter((line["task"], line["n"]) for line in fleet.ledger("step"))
    assert steps == {(id_, n): 1 for id_ in ids for n in range(3)}
    assert {line["task"] for line in fleet.ledger("new end")} >= set(ids[-20:])
    await fleet.sound()
