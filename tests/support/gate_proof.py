"""What gates promise, by real workers and a fake model server as the oracle: rates, outages, a storm."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duly.llm.fake.script import Script
from duly.llm.fake.server import FakeServer
from duly.model.state import Status
from duly.observe.why import why
from support import servers
from support.cluster import Cluster, cluster, until
from support.models import fake

WORKERS = 4
MINUTE = 60.0
#: Seconds over which a throughput is counted, and how much of it is back when it has recovered.
SPAN, BACK = 2.0, 0.8
STORM = {"kind": "rate_limit", "retry_after": 5}
SHARES = {"error": 0.5, "rate_limit": 0.3, "reset": 0.3}
DEAD = ("unauthorized", "html", "closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long the rates are watched, how many calls seven providers get, how long the storm is, and where
    the workers keep their tasks."""

    database: str = "sqlite"
    seconds: int = 90
    rpm: int = 1200
    tpm: int = 40_000
    calls: int = 3000
    storm: int = 60


@contextlib.asynccontextmanager
async def working(folder: Path, llm: dict[str, Any], database: str) -> AsyncIterator[Cluster]:
    """Four workers that ask these providers, on an empty database of this kind."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    place: dict[str, Any] = {}
    if database in servers.KINDS:
        place = {"database_url": servers.fresh_url(database, f"gates_{folder.name}")}
    async with cluster(folder, llm=llm, lease=30, renew=5, sweep=2, **place) as workers:
        for n in range(WORKERS):
            workers.start(f"worker{n}")
        yield workers


def provider(server: FakeServer, **more: Any) -> dict[str, Any]:
    return {"base_url": server.url, "model": "m", "stream": False, **more}


def most_in_a_minute(lines: Sequence[dict[str, Any]], what: str = "") -> float:
    """The most that any 60 seconds saw: requests, or what this field of theirs sums up to."""
    most, first, total = 0, 0, 0
    for line in lines:
        total += line[what] if what else 1
        while lines[first]["at"] <= line["at"] - MINUTE:
            total -= lines[first][what] if what else 1
            first += 1
        most = max(most, total)
    return most


async def rates(folder: Path, size: Size) -> dict[str, Any]:
    """Two providers, one with a rate of requests and one of tokens, and more work than both take."""
    async with fake(latency=0.05) as first, fake(latency=0.05) as second:
        llm = {"providers": {"rpm": provider(first, rpm=size.rpm), "tpm": provider(second, tpm=size.tpm)}}
        for one in llm["providers"].values():
            one["concurrency"] = 12
        async with working(folder, llm, size.database) as workers:
            per_second = size.rpm / 60 + size.tpm / 60 / 40
            await workers.submit_many(int(per_second * size.seconds / 2) + 50, "asks", {"sections": 2})
            await until(lambda: first.book.number and second.book.number, 60)
            await asyncio.sleep(size.seconds)
            asked, counted = first.book.requests, second.book.requests
        full = min(size.seconds, MINUTE) / 60
        requests, tokens = most_in_a_minute(asked), most_in_a_minute(counted, "tokens")
    return {
        "rpm": size.rpm,
        "rpm_most": requests,
        "rpm_over": round(requests / size.rpm - 1, 4),
        "rpm_used": round(requests / size.rpm / full, 3),
        "tpm": size.tpm,
        "tpm_most": tokens,
        "tpm_over": round(tokens / size.tpm - 1, 4),
        "tpm_used": round(tokens / size.tpm / full, 3),
    }


async def outages(folder: Path, size: Size) -> dict[str, Any]:
    """Seven providers: a capped one that is well, three that fail often, three that are dead."""
    async with contextlib.AsyncExitStack() as stack:
        faults: list[list[dict[str, Any]]] = [[], *([{"kind": k, "share": s}] for k, s in SHARES.items())]
        faults += [[{"kind": kind}] for kind in DEAD[:2]]
        fakes = [await stack.enter_async_context(fake(*some, words=4)) for some in faults]
        names = ["well", *SHARES, *DEAD[:2]]
        table = {name: provider(one) for name, one in zip(names, fakes, strict=True)}
        table["well"] |= {"rpm": 1200, "concurrency": 4}
        table["closed"] = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "stream": False}
        llm = {"tries": 6, "providers": table}
        workers = await stack.enter_async_context(working(folder, llm, size.database))
        began = asyncio.get_running_loop().time()
        ids = await workers.submit_many(size.calls // 2, "asks", {"sections": 2})
        ended = [await workers.end(id_, 400) for id_ in ids]
        took = asyncio.get_running_loop().time() - began
        asked = [line["provider"] for one in workers.processes for line in one.said("llm_request")]
    return {
        "calls": size.calls,
        "answered": sum(task.result for task in ended if task.status is Status.COMPLETED),
        "retries": sum(task.retry_count for task in ended),
        "dead_most": max(asked.count(name) for name in DEAD),
        "dead": {name: asked.count(name) for name in DEAD},
        "outages_s": round(took, 1),
    }


async def storm(folder: Path, size: Size) -> dict[str, Any]:
    """One provider that works, then answers with nothing but 429, then works again."""
    loop = asyncio.get_running_loop()
    async with fake(latency=0.4, words=4) as server:
        llm = {"providers": {"main": provider(server, concurrency=4)}}
        async with working(folder, llm, size.database) as workers:
            ids = await workers.submit_many(1500, "asks", {"sections": 2})
            await until(lambda: server.book.billed > 60, 60)
            await asyncio.sleep(10)
            before = _throughput(server, loop.time() - server.began)
            server.script = Script.model_validate({"fault": [STORM]})
            asked = server.book.number
            await asyncio.sleep(size.storm)
            named = await _named(workers, ids)
            asked = server.book.number - asked
            server.script = Script(latency=0.4, words=4)
            over = loop.time() - server.began
            recovered = await _recovery(server, over, BACK * before)
            ended = [await workers.task(id_) for id_ in ids]
    return {
        "storm_s": size.storm,
        "before_per_s": round(before, 1),
        "asked_in_storm": asked,
        "recovered_s": recovered,
        "charged": sum(task.retry_count for task in ended),
        "failed": sum(task.status is Status.FAILED for task in ended),
        "why": named,
    }


def _throughput(server: FakeServer, now: float) -> float:
    """Answers a second, of those that were asked for in the span before."""
    billed = [line for line in server.book.requests if line["billed"]]
    return sum(now - SPAN - 0.5 < line["at"] <= now - 0.5 for line in billed) / SPAN


async def _recovery(server: FakeServer, over: float, wanted: float) -> float:
    """Seconds after the storm until the throughput is back, and stays so for its span; at most 60."""
    loop = asyncio.get_running_loop()
    while (now := loop.time() - server.began) < over + 60:
        if now > over + SPAN + 0.5 and _throughput(server, now) >= wanted:
            return round(now - SPAN - 0.5 - over, 1)
        await asyncio.sleep(0.1)
    return 60.0


async def _named(workers: Cluster, ids: Sequence[str]) -> str:
    """What `why` says first of a task that waits."""
    for id_ in ids:
        task = await workers.task(id_)
        if task.status is Status.WAITING:
            said = await why(workers.app.database, id_, now_ms=workers.app.clock.now_ms())
            return said.summary
    return ""


def kept(figures: dict[str, Any]) -> bool:
    """Whether all that is promised holds."""
    in_rates = max(figures["rpm_over"], figures["tpm_over"]) <= 0.02
    answered = figures["answered"] >= 0.999 * figures["calls"] and figures["dead_most"] < 10
    quiet = figures["charged"] == figures["failed"] == 0 and figures["recovered_s"] <= 10
    return bool(in_rates and answered and quiet and "main" in figures["why"])


async def prove(folder: Path, size: Size) -> dict[str, Any]:
    """All three, one after the other."""
    figures = await rates(folder / "rates", size)
    figures |= await outages(folder / "outages", size)
    return figures | await storm(folder / "storm", size)
