"""Several processes and one provider: what one of them sees, the others heed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duly.clock import SystemClock
from duly.llm import providers, shared
from duly.llm.desk import Desk
from duly.llm.failures import Failure, Kind
from duly.llm.fake.server import FakeServer
from duly.llm.lanes import Turn
from duly.model.chat import ModelAway, ModelPaused
from duly.store import gates, migrate
from duly.store.database import Database
from duly.store.gates import Hold
from support.cluster import until
from support.models import Heard, fake, question, quiet, table


@contextlib.asynccontextmanager
async def fleet(
    folder: Path, settings: dict[str, Any], count: int = 2, heard: Heard | None = None
) -> AsyncIterator[list[Desk]]:
    """Desks on one database, as of so many processes."""
    found, some = providers.read(settings)
    async with contextlib.AsyncExitStack() as stack:
        desks = []
        for _ in range(count):
            database = Database(f"sqlite:///{folder / 'duly.db'}")
            migrate.ensure(database)
            database.open()
            stack.callback(database.close)
            words: dict[str, Any] = {"emit": heard or Heard(), "clock": SystemClock(), "environ": {}}
            desks.append(Desk(found, some, database=database, **words))
            stack.push_async_callback(desks[-1].close)
        yield desks


def database(desk: Desk) -> Database:
    """Its database."""
    return desk.pool._gates._database  # type: ignore[attr-defined,no-any-return]


async def stands(desk: Desk, server: FakeServer, **words: Any) -> None:
    """Waits until the gate says so: what a call has seen is told behind it."""

    async def so() -> bool:
        [row] = await database(desk).read(gates.listed, ["main"]) or [{}]
        return all((row.get(word) is not None) is there for word, there in words.items())

    await until(so)


async def test_one_429_is_heard_by_all(tmp_path: Path) -> None:
    """One process asks and is refused; the other does not ask at all, and says which gate is closed."""
    async with fake({"kind": "rate_limit", "retry_after": 30}) as server:
        async with fleet(tmp_path, table(server)) as (one, other):
            with pytest.raises(ModelPaused):
                await one(question(), quiet)
            await stands(one, server, closed_until=True)
            with pytest.raises(ModelPaused) as caught:
                await other(question(), quiet)
        assert server.book.number == 1
        assert caught.value.gates == ("main",)
        assert 25 < caught.value.after <= 34


async def test_one_probe_opens_it_for_all(tmp_path: Path) -> None:
    """Twenty calls of two processes wait behind a short pause: one request goes first, then all."""
    heard = Heard()
    fault = {"kind": "rate_limit", "retry_after": 0.5, "first": 1}
    async with fake(fault, latency=0.1) as server, fleet(tmp_path, table(server), heard=heard) as desks:
        calls = [desks[0](question("first"), quiet)]
        await asyncio.gather(*calls)
        assert server.book.number == 2
        await asyncio.gather(*[desks[n % 2](question(str(n)), quiet) for n in range(20)])
        assert (server.book.number, server.book.billed) == (22, 21)
    assert [line["provider"] for line in heard.of("llm_provider.opened")] == ["main"]


async def test_a_closed_provider_costs_one_request_in_each_pause(tmp_path: Path) -> None:
    """However many calls of however many processes come."""
    settings = {"llm": {"cooldown": 0.3, "tries": 2}}
    async with fake({"kind": "rate_limit"}, latency=0.02) as server:
        async with fleet(tmp_path, table(server, **settings), 3) as desks:
            with pytest.raises(ModelPaused):
                await desks[0](question(seconds=1.5), quiet)
            first = server.book.number
            calls = [desks[n % 3](question(str(n), seconds=1.5), quiet) for n in range(30)]
            ends = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(one, ModelPaused) for one in ends)
        assert server.book.number - first <= 3
        assert server.book.most_at_once <= 4


async def test_three_failures_of_different_processes_close_it(tmp_path: Path) -> None:
    """Each has seen one; a fourth process asks no more."""
    settings = {"llm": {"cooldown": 30, "tries": 1}}
    async with fake({"kind": "error"}) as server, fleet(tmp_path, table(server, **settings), 4) as desks:
        for one in desks[:3]:
            with pytest.raises((ModelAway, ModelPaused)):
                await one(question(), quiet)
            await one.pool.close()
        with pytest.raises(ModelPaused):
            await desks[3](question(), quiet)
        assert server.book.number == 3


async def test_an_open_provider_without_rates_costs_no_transaction(tmp_path: Path) -> None:
    """Once it is known to be well, calls only read, four times a second at most."""
    async with fake() as server, fleet(tmp_path, table(server), 1) as (one,):
        await one(question(), quiet)
        await one.pool.close()
        past = {"ramp_at": 0}
        await database(one).write(_set, past)
        one.pool._gates._looked = 0.0  # type: ignore[attr-defined]
        await one(question("look"), quiet)
        [before] = await database(one).read(gates.listed)
        await asyncio.gather(*[one(question(str(n)), quiet) for n in range(20)])
        [after] = await database(one).read(gates.listed)
        assert server.book.billed == 22
        assert before["version"] == after["version"]


def _set(tx: Any, items: Any) -> list[None]:
    """Writes by hand."""
    for values in items:
        tx.core.execute(gates.TABLE.update().values(**values))
    return [None for _ in items]


async def test_permits_are_leased_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred calls at a high rate cost far fewer transactions than calls."""
    async with fake() as server, fleet(tmp_path, table(server, rpm=60_000), 1) as (one,):
        await one(question(), quiet)
        await one.pool.close()
        await database(one).write(_set, {"ramp_at": 0})
        turns = one.pool._gates
        turns._looked = 0.0  # type: ignore[attr-defined]
        await one(question("look"), quiet)
        monkeypatch.setattr(shared, "FRESH_SECONDS", 60.0)  # however slow this machine is
        turns._known["main"].before = 20  # type: ignore[attr-defined]
        [before] = await database(one).read(gates.listed)
        for n in range(100):
            await one(question(f"more {n}"), quiet)
        [after] = await database(one).read(gates.listed)
    assert after["version"] - before["version"] == 12  # nine at a time


def test_as_many_are_expected_as_came_just_before() -> None:
    """Turns of the last quarter of a second; after a pause none."""
    known = shared._Known()
    for now in (10.0, 10.1, 10.2, 10.3):
        known.count(now)
    assert known.before == 3
    known.count(11.0)
    assert known.before == 0


async def test_a_call_that_ends_gives_its_probe_up(tmp_path: Path) -> None:
    """Its task was cancelled while it asked: another process probes at once."""
    faults = [{"kind": "rate_limit", "retry_after": 0.1, "calls": [1]}, {"kind": "hang", "calls": [2]}]
    async with fake(*faults) as server, fleet(tmp_path, table(server, llm={"tries": 1})) as (one, other):
        with pytest.raises(ModelPaused):
            await one(question(), quiet)
        probe = asyncio.create_task(one(question("hangs"), quiet))
        await stands(one, server, probe_by=True)
        while server.book.number < 2:
            await database(one).read(gates.listed)
        probe.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probe
        assert (await other(question("answers"), quiet)).text


async def test_a_process_keeps_one_probe_at_most(tmp_path: Path) -> None:
    """A second one begins where the first took too long: its keeper takes over, and ends with either."""
    async with fake() as server, fleet(tmp_path, table(server), 1) as (one,):
        turns: Any = one.pool._gates
        lane = one.pool.lanes["main"]
        granted = gates.Granted(permits=1, second=0, probe=True, wait_ms=0, view=gates.View("main"))
        permits, keepers = [], []
        for _ in range(2):
            permits.append(turns._taken(lane, granted, 0, 0.0))
            keepers.append(turns._probes["main"])
        await asyncio.wait(keepers[:1], timeout=1)
        assert [keeper.cancelled() for keeper in keepers] == [True, False]
        turns.dropped(Turn(lane, permits[0]))
        await asyncio.wait(keepers, timeout=1)
        turns.dropped(Turn(lane, permits[1]))
        assert turns._probes == {}


async def test_what_no_database_keeps_closes_it_too(tmp_path: Path) -> None:
    """A provider's words may hold anything; the gate has them without it."""
    async with fake() as server, fleet(tmp_path, table(server), 1) as (one,):
        turn = await one.pool.take("", (), asyncio.get_running_loop().time() + 5)
        one.pool.give_back(turn, Failure(kind=Kind.LIMITED, code="4\x0029", message="a\ud800b", after=30))
        await one.pool.close()
        [row] = await database(one).read(gates.listed)
        assert (row["code"], row["message"]) == ("4\ufffd29", "a\ufffdb")


async def test_an_operators_word_is_heeded(tmp_path: Path) -> None:
    """A gate that is closed by hand is asked nothing, and says whose word it is."""
    async with fake() as server, fleet(tmp_path, table(server), 1) as (one,):
        await database(one).write(gates.hold, Hold(name="main", by="ann"))
        with pytest.raises(ModelPaused, match="held"):
            await one(question(), quiet)
        await database(one).write(gates.release, "main")
        one.pool._gates._looked = 0.0  # type: ignore[attr-defined]
        assert (await one(question(), quiet)).text
        assert server.book.number == 1
