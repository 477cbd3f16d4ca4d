"""/livez, /readyz and /health: what an orchestrator asks, without credentials."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from site_under_test import MakeSite, Site, declared

from duly.config import Settings
from duly.http import probe
from duly.runtime.app import App
from duly.store import lists, migrate, sqlite
from duly.store import probe as probing
from duly.store.reserve import Reserve
from duly.testing import FakeClock
from support import servers
from support.tmpfs import fill, small_disk


async def test_livez_asks_nobody(site: Site) -> None:
    """The process lives even when its database does not."""
    site.app.database.close()
    async with site.client() as client:
        assert (await client.get("/livez")).status_code == 200


async def test_readyz_is_ready_when_all_is_well(site: Site) -> None:
    """A started app with a working database is ready."""
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


async def test_readyz_repeats_what_a_part_says(make_site: MakeSite) -> None:
    """A part that is not well makes the process unready, with its reason."""
    site = await make_site(api={"ready": lambda: (False, "failing: claim")})
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "failing: claim")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_readyz_is_not_ready_without_a_database(site: Site) -> None:
    """The probe reads and writes; a closed database does neither."""
    site.app.database.close()
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the database cannot be used now")


async def test_readyz_does_not_wait_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer in time is not ready."""
    monkeypatch.setattr(probe, "PROBE_SECONDS", 0.01)

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(site.app.database, "read", never)
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, "0.01 seconds" in answer.json()["detail"]) == (503, True)


async def test_readyz_is_not_ready_while_draining(site: Site) -> None:
    """When the server begins to stop, no new work is sent here."""
    site.api.state.stopping.set()
    async with site.client() as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the server is draining")


async def test_readyz_is_not_ready_while_the_write_lock_is_taken(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that can be read but not written is not ready."""
    monkeypatch.setattr(probe, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(probe, "SERVES_SECONDS", 0)
    database = site.app.database
    assert database.footing is not None
    other = sqlite.connect(database.driver.path, database.footing.journal)
    other.execute("BEGIN IMMEDIATE")
    async with site.client() as client:
        taken = await client.get("/readyz")
        other.execute("ROLLBACK")
        monkeypatch.setattr(probe, "PROBE_SECONDS", 10)
        free = await client.get("/readyz")
    other.close()
    assert (taken.status_code, free.status_code) == (503, 200)


async def test_readyz_is_not_ready_while_nothing_can_be_written(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the write lock can still be had: only a write tells."""
    monkeypatch.setattr(probe, "SERVES_SECONDS", 0)
    with small_disk(tmp_path, 4) as disk:
        path = Path(shutil.copy(template / "duly.db", disk))
        app = App(Settings(database_url=f"sqlite:///{path}", log_level="error", reserve=0), declared())
        await app.start()
        site = Site(app)
        fill(disk)
        async with site.client() as client:
            full = await client.get("/readyz")
            (disk / "filler").unlink()
            well = await client.get("/readyz")
        await app.stop()
    assert (full.status_code, full.json()["detail"]) == (503, "the database cannot be used now")
    assert well.status_code == 200


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "the disk of the database is nearly full"), ("zh", "数据库所在磁盘的空间即将用尽。")],
)
async def test_readyz_is_not_ready_while_less_is_free_than_the_reserve(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    """Before the first write fails, and no call is refused for it."""
    monkeypatch.setattr(probe, "SERVES_SECONDS", 0)
    site = await make_site(reserve=1000)
    free = 999
    monkeypatch.setattr(Reserve, "free", property(lambda _: free))
    async with site.admin as client:
        short = await client.get("/readyz", headers={"Accept-Language": language})
        taken = await client.post("/api/tasks", json={"task_type": "echo"})
        free = 1000
        well = await client.get("/readyz")
    assert (short.status_code, short.json()["detail"]) == (503, said)
    assert (taken.status_code, well.status_code) == (202, 200)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "the database is of another revision than this server"), ("zh", "数据库的版本与此服务器不符。")],
)
async def test_readyz_is_not_ready_on_another_revision(site: Site, language: str, said: str) -> None:
    """Whoever migrates the database under a running server makes it unready."""
    with site.app.database.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    async with site.client() as client:
        answer = await client.get("/readyz", headers={"Accept-Language": language})
    assert (answer.status_code, answer.json()["detail"]) == (503, said)


@pytest.mark.parametrize("kind", servers.KINDS)
@pytest.mark.services
async def test_readyz_writes_on_a_server_too(tmp_path: Path, kind: str) -> None:
    """And leaves nothing there."""
    url = servers.database_url(kind)
    servers.clear(url)
    words = {"database_url": url, "token_file": str(tmp_path / "token"), "log_level": "error"}
    app = App(Settings(**words), declared())
    await app.start()
    async with Site(app).client() as client:
        answers = [(await client.get("/readyz")).status_code for _ in range(2)]
    left = await app.database.read(lists.living_workers)
    await app.stop()
    assert (answers, left) == ([200, 200], [])


class Still(FakeClock):
    """No time passes by itself, not even monotonic."""

    at = 0.0

    def monotonic(self) -> float:
        return self.at


async def test_a_good_answer_serves_for_a_second(make_site: MakeSite) -> None:
    """Each probe is a commit, and anybody may ask."""
    clock, commits = Still(), list[bool]()
    site = await make_site(clock=clock)
    site.app.database.subscribe(lambda foreign: foreign or commits.append(foreign), after=[probing.probe])
    async with site.client() as client:
        for clock.at in (0.0, 0.5, 0.99, 1.0, 1.5):
            assert (await client.get("/readyz")).status_code == 200
    assert len(commits) == 2


class Line:
    """Every read of a probe: counted, and answered when it is let through, `took` seconds later."""

    def __init__(self, site: Site, clock: Still, patch: pytest.MonkeyPatch, took: float = 0.0) -> None:
        self.reads = 0
        self.asked, self.open = asyncio.Event(), asyncio.Event()
        self._clock, self._took, self._read = clock, took, site.app.database.read
        patch.setattr(site.app.database, "read", self.read)

    async def read(self, *args: Any) -> Any:
        """A read over a slow line."""
        self.reads += 1
        self.asked.set()
        await self.open.wait()
        self._clock.at += self._took
        return await self._read(*args)


async def test_one_ask_serves_all_who_ask_meanwhile(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a slow line asks would queue behind each other, and all other reads behind them."""
    site = await make_site(clock=(clock := Still()))
    line, asked = Line(site, clock, monkeypatch), probe.Probe(site.app)
    several = [asyncio.create_task(asked.failure()) for _ in range(20)]
    await line.asked.wait()
    several += [asyncio.create_task(asked.failure()) for _ in range(20)]
    line.open.set()
    assert set(await asyncio.gather(*several)) == {""}
    assert line.reads == 1


async def test_an_answer_that_took_long_serves_too(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is as old as its end: else over a slow line it would serve nobody."""
    site = await make_site(clock=(clock := Still()))
    line, asked = Line(site, clock, monkeypatch, took=1.8), probe.Probe(site.app)
    line.open.set()
    assert [await asked.failure() for _ in range(3)] == ["", "", ""]
    assert line.reads == 1


async def test_a_bad_answer_serves_for_a_second(make_site: MakeSite) -> None:
    """Each costs a wait; after it a database that is back is seen."""
    site = await make_site(clock=(clock := Still()))
    asked, told = probe.Probe(site.app), list[bool]()
    with site.app.database.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    told.append(await asked.failure() == "")
    with site.app.database.engine().begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (migrate.HEAD,))
    for clock.at in (0.5, 0.99, 1.0):
        told.append(await asked.failure() == "")
    assert told == [False, False, False, True]


async def test_who_goes_away_does_not_take_the_answer_from_others(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ask belongs to nobody: the client that began it may hang up."""
    site = await make_site(clock=(clock := Still()))
    line, asked = Line(site, clock, monkeypatch), probe.Probe(site.app)
    first = asyncio.create_task(asked.failure())
    await line.asked.wait()
    second = asyncio.create_task(asked.failure())
    first.cancel()
    await asyncio.wait([first])
    line.open.set()
    assert (await second, first.cancelled(), line.reads) == ("", True, 1)


async def test_health_counts_living_workers(make_site: MakeSite) -> None:
    """Status, version and worker sessions whose lease still runs."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    async with site.client() as client:
        answers = [(await client.get("/health")).json()]
        await site.claim()
        answers.append((await client.get("/health")).json())
        clock.advance(31)
        answers.append((await client.get("/health")).json())
    assert [(answer["status"], answer["workers"]) for answer in answers] == [("ok", 0), ("ok", 1), ("ok", 0)]
    assert answers[0]["version"]
