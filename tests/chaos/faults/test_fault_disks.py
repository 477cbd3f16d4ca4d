"""The disk below the database is full, or cannot be written any more."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import subprocess
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from duly.store import schema
from duly.store.driver import choose
from support.cluster import until
from support.fault_case import Case
from support.fault_site import Site, lost, site
from support.soak_servers import Server
from support.soak_units import send
from support.tmpfs import fill

MEGABYTE = 2**20
#: Seconds for which a fault lasts: longer than all backoffs but the longest.
LASTS = 12.0
#: Of a child that cannot open its database, in that time.
MOST_STARTS = 6


@pytest.mark.fault("disk-full")
@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_full_disk_under_a_file(kind: str, case: Case) -> None:
    """503 until there is room. Retention makes some, with the reserve; later the disk grows."""
    async with site(kind, disk=32, reserve=2 * MEGABYTE) as one:
        async with one.load():
            await ballast(one, 40)
            await full(one, case)
            pruned = await asyncio.to_thread(prune, one, "soak.ballast")
            case.holds("retention works on a full disk", pruned == 40, f"{pruned} tasks deleted")
            case.figure(pruned=pruned, accepts_after_prune_s=await one.accepts())
            await full(one, case)
            remount(one.place, "size=96m")
            case.figure(accepts_after_growth_s=await one.accepts())
            await until(lambda: ready(one), 30, every=0.5)
        found = await one.close_books(case)
        case.wrong("no lease lost", lost(found))
        case.holds("no child dies", one.lives() == 3, f"{one.lives()} children for 3 places")


@pytest.mark.fault("server-disk-full")
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_a_full_disk_under_a_server(kind: str, case: Case) -> None:
    """PostgreSQL itself goes down when it cannot write its log, and comes back when the disk has grown;
    MariaDB, whose log has room from the beginning, refuses what makes a table grow: no probe sees that."""
    async with site(kind, disk=160 if kind == "postgres" else 256) as one:
        async with one.load():
            await one.accepts()
            await full(one, case)
            remount(one.place, "size=512m")
            assert isinstance(one.server, Server)
            await one.server.revive()
            case.figure(accepts_after_growth_s=await one.accepts(90))
        await one.close_books(case)
        case.figure(server_went_down=one.server.restarts > 0)


@pytest.mark.fault("disk-read-only")
@pytest.mark.parametrize("kind", ["sqlite"])
async def test_a_disk_that_comes_up_read_only(kind: str, case: Case) -> None:
    """After a crash of the host its disk can only be read: not ready, no crash loop, and well again after."""
    async with site(kind, disk=32) as one:
        async with one.load():
            await one.accepts()
            one.database.close()  # ours holds the files too
            for pid in [pid for unit in one.fleet.units for pid in unit.family()]:
                send(pid, signal.SIGKILL)
            await until(lambda: remount(one.place, "ro"), 20, every=0.01)
            before, seen = one.lives(), set[int]()
            await until(lambda: one.lives() > before, 60)
            for _ in range(int(LASTS)):
                seen.add(await one.status("/readyz", 0.5))
                await one.elapse(0.5)
            case.holds("never ready", 200 not in seen, sorted(seen))
            starts = one.lives() - before
            case.holds("no crash loop", starts <= 3 * MOST_STARTS, f"{starts} starts of three children")
            remount(one.place, "rw")
            case.figure(starts=starts, accepts_again_s=await one.accepts(90))
            await until(one.manned, 60, every=0.5)
        await one.close_books(case)


@pytest.mark.fault("files-read-only")
@pytest.mark.parametrize("kind", ["sqlite"])
async def test_files_that_turn_read_only_under_open_connections(kind: str, case: Case) -> None:
    """As when a file system meets an error: reads go on, writes do not, no process ends."""
    async with site(kind) as one:
        files = [one.place / name for name in ("duly.db", "duly.db-wal")]
        async with one.load():
            await one.accepts()
            if not immutable(files, True):
                pytest.skip("needs the right to make files immutable, and a file system that can")
            try:
                await until(lambda: one.crowd.shed, 30)
                await until(lambda: unready(one), 30, every=0.5)
                await one.elapse(LASTS)
                case.holds("alive", await one.status("/livez") == 200)
            finally:
                immutable(files, False)
            case.figure(shed=one.crowd.shed.total(), accepts_again_s=await one.accepts())
            await until(lambda: ready(one), 30, every=0.5)
        found = await one.close_books(case)
        case.wrong("no lease lost", lost(found))
        case.holds("no child dies", one.lives() == 3, f"{one.lives()} children for 3 places")


async def ready(one: Site) -> bool:
    return await one.status("/readyz") == 200


async def unready(one: Site) -> bool:
    return await one.status("/readyz") == 503


async def ballast(one: Site, count: int) -> None:
    """Ended tasks that are no part of the books: they are to be deleted."""
    body = {"task_type": "soak.ballast", "input": {"text": secrets.token_hex(100_000)}}
    async with httpx2.AsyncClient(base_url=one.url, timeout=30, trust_env=False) as http:
        for _ in range(count):
            (await http.post("/api/tasks", json=body)).raise_for_status()
    task = schema.task.c
    left = sa.select(sa.func.count()).where(task.task_type == "soak.ballast", task.status != "completed")

    def gone() -> bool:
        with one.database.engine(read_only=True).connect() as connection:
            return not connection.execute(left).scalar()

    await until(gone, 60, every=0.2)


async def full(one: Site, case: Case) -> None:
    """Another program takes all room, again and again; clients are told to come again, and so is a probe
    where it can see it."""
    shed = one.crowd.shed.total()

    def refused() -> bool:
        fill(one.place)
        return one.crowd.shed.total() > shed + 5

    async def told() -> bool:
        fill(one.place)
        if one.kind == "postgres":
            await asyncio.to_thread(next_log, one.server.url)
        return await unready(one)

    await until(refused, 60, every=0.1)
    if one.kind != "mariadb":
        await until(told, 30, every=0.5)
    case.holds("alive", await one.status("/livez") == 200)
    case.figure(shed=one.crowd.shed.total())


def next_log(url: str) -> None:
    """Makes PostgreSQL begin another file of its log, which needs room; it may be down already."""
    driver = choose(url)
    with suppress(driver.module.Error), closing(driver.connect()) as connection:
        connection.cursor().execute("SELECT pg_switch_wal()")


def prune(one: Site, task_type: str) -> int:
    """What an operator does: deletes ended tasks of a type; how many."""
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    words = ["prune", "--type", task_type, "--before", later, "--json", "--database-url", one.server.url]
    command = [sys.executable, "-m", "duly.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=one.folder, check=False)
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["tasks"])


def remount(place: Path, option: str) -> bool:
    """Whether the disk is mounted so now; busy files do not let it become read-only."""
    command = ["mount", "-o", f"remount,{option}", str(place)]
    return not subprocess.run(command, capture_output=True, check=False).returncode


def immutable(files: list[Path], so: bool) -> bool:
    """Whether these files can not, or again, be changed."""
    command = ["chattr", "+i" if so else "-i", *map(str, files)]
    return not subprocess.run(command, capture_output=True, check=False).returncode
