"""Families and maps at their full size, on each database, while workers die."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duly.model.batch import BATCH
from duly.store import items, lists
from duly.store.lists import Filter
from support import servers
from support.cluster import Cluster, alive, cluster, sudden_death, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
KINDS = [
    "sqlite",
    *(pytest.param(kind, marks=pytest.mark.services) for kind in servers.KINDS),
]
#: As in production: what a promise in seconds means.
USUAL = {"lease": 30.0, "renew": 10.0, "sweep": 5.0, "poll": 1.0}
WORKING, WAITING = 600, 400
#: Deaths of a map's process. From the second on it is a suspect and runs alone; the third such one ends it.
DEATHS, GIVEN_UP = 6, 5


@contextlib.asynccontextmanager
async def field(kind: str, folder: Path, **settings: Any) -> AsyncIterator[Cluster]:
    """A cluster on an empty database of this kind."""
    if kind in servers.KINDS:
        settings["database_url"] = servers.fresh_url(kind, folder.name[-40:].lower())
    async with cluster(folder, **settings) as one:
        yield one
        await one.sound()


async def counted(workers: Cluster, parent: str) -> dict[str, int]:
    """How many children stand in each status, without zeros."""
    stats = await workers.app.database.read(lists.stats, Filter(parent=parent))
    return {status: count for status, count in stats.items() if count}


def request(kind: str, n: int, pause: float) -> tuple[str, dict[str, Any]]:
    """A parent of so many members: a handler's own, or a batch."""
    if kind == "family":
        return kind, {"n": n, "pause": pause}
    return BATCH, {"tasks": [{"task_type": "member", "input": {"n": m, "pause": pause}} for m in range(n)]}


@pytest.mark.parametrize("parent", ["family", "batch"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_parent_of_a_thousand_outlives_ten_deaths(tmp_path: Path, kind: str, parent: str) -> None:
    """Its worker is killed ten times while children are spawned and run: each is one task, and counts."""
    async with field(kind, tmp_path, concurrency=32) as workers:
        worker = workers.start()
        id_ = await workers.submit(*request(parent, 1000, 0.2))
        for kill in range(1, 11):
            await until(lambda: len(workers.ledger("member")) >= 80 * kill, 60)  # noqa: B023 - of this round
            await worker.strike()
        ended = await workers.end(id_, 120)
        assert (ended.status, ended.retry_count) == ("completed", 0)
        assert await counted(workers, id_) == {"completed": 1000}
        assert {line["n"] for line in workers.ledger("member")} == set(range(1000))
        if parent == "batch":
            assert (ended.result["total"], ended.result["completed"]) == (1000, 1000)
        else:
            assert ended.result == list(range(1000))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancel_stops_a_thousand_children_within_five_seconds(tmp_path: Path, kind: str) -> None:
    """Those that run, those that wait for a slot, and those that are suspended."""
    async with field(kind, tmp_path, **USUAL) as workers:
        workers.start()
        id_ = await workers.submit("household", {"working": WORKING, "waiting": WAITING})
        await until(lambda: _stands(workers, id_), 60)
        await workers.app.client.cancel(id_)
        await until(lambda: _cancelled(workers, id_), 5)
        assert (await workers.task(id_)).status == "cancelled"


async def _stands(workers: Cluster, id_: str) -> bool:
    stats, parent = await counted(workers, id_), await workers.task(id_)
    busy = stats.get("running", 0) >= 32 and stats.get("pending", 0) >= 32
    return parent.status == "waiting" and stats.get("waiting") == WAITING and busy


async def _cancelled(workers: Cluster, id_: str) -> bool:
    return await counted(workers, id_) == {"cancelled": WORKING + WAITING}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_map_of_ten_thousand_outlives_six_deaths(tmp_path: Path, kind: str) -> None:
    """100 at once, and whichever process computes them dies six times, after which the third time alone an
    operator says: again. What was recorded is not computed again, and progress never goes back."""
    async with field(kind, tmp_path) as workers:
        workers.start()
        id_ = await workers.submit("mapping", {"n": 10_000, "pause": 0.1, "at_once": 100})
        watching = asyncio.create_task(_watched(workers, id_))
        recorded: dict[int, int] = {}
        for kill in range(1, DEATHS + 1):
            pid = await until(lambda: _at_work(workers, 1200 * kill), 120)  # noqa: B023 - of this round
            known = await _known(workers, id_)
            attempt = (await workers.task(id_)).attempt
            recorded = {**dict.fromkeys(known, attempt), **recorded}
            sudden_death(pid)
            if kill == GIVEN_UP:
                assert (await workers.end(id_, 60)).error_code == "worker_lost"
                _check_growth(await watching)
                await workers.app.client.retry(id_)
                watching = asyncio.create_task(_watched(workers, id_))
        ended = await workers.end(id_, 120)
        _check_growth(await watching)
        assert (ended.status, ended.result, ended.progress) == ("completed", sum(range(10_000)), 1.0)
        assert ended.attempt == DEATHS + 1
        assert len(recorded) > 800 * DEATHS
        ran = workers.ledger("item")
        assert {line["n"] for line in ran} == set(range(10_000))
        assert not [line for line in ran if line["attempt"] > recorded.get(line["n"], line["attempt"])]
        lines = await workers.events(id_)
        again = next(one.seq for one in lines if one.type == "retried")
        for part in (lines[:again], lines[again:]):
            told = [one.data["progress"] for one in part if one.type == "progress"]
            assert told == sorted(set(told))
            assert len(told) <= 10


def _check_growth(seen: list[float]) -> None:
    """Progress that was seen to grow, and never to go back: only an operator's retry begins it anew."""
    assert seen == sorted(seen)
    assert len(set(seen)) > 3


def _at_work(workers: Cluster, count: int) -> int | None:
    """The process that computes items, once so many have been."""
    ran = workers.ledger("item")
    pid = int(ran[-1]["pid"]) if len(ran) >= count else 0
    return pid if pid and alive(pid) else None


async def _watched(workers: Cluster, id_: str) -> list[float]:
    """The task's progress, looked at again and again until it has ended."""
    seen: list[float] = []

    async def ended() -> bool:
        task = await workers.task(id_)
        seen.append(task.progress or 0.0)
        return task.status.terminal

    await until(ended, 300, every=0.05)
    return seen


async def _known(workers: Cluster, id_: str) -> list[int]:
    found: list[int] = []
    while page := await workers.app.database.read(items.items, id_, "numbers", found[-1] if found else -1):
        found += [one.n for one in page if one.status == "completed"]
        if len(page) < items.PAGE:
            break
    return found
