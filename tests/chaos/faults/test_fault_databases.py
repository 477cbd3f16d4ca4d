"""A server crashes again and again under load, or hangs up on those who are connected to it."""

from __future__ import annotations

import os
import signal
from contextlib import closing, suppress
from typing import Any

import pytest

from duly.store.driver import choose
from support.disk import seeded
from support.fault_case import Case
from support.fault_site import Site, lost, site
from support.soak_servers import Server

SERVERS = ("postgres", "mariadb")
CRASHES, HANGUPS, MOVES = 5, 20, 2
#: How long no server is the primary, in seconds: less than a lease, so that none is lost.
NOBODY_SECONDS = 6.0
#: Seconds after a crash in which a submit must have been accepted again: connections, and a busy host.
SOON = 15.0


@pytest.mark.fault("database-crashes")
@pytest.mark.parametrize("kind", SERVERS)
async def test_a_server_that_crashes_every_few_seconds(kind: str, case: Case) -> None:
    """What was acknowledged is there, nothing is recorded twice, and no lease is lost to a short absence."""
    die, again = seeded(kind), []
    async with site(kind) as one:
        assert isinstance(one.server, Server)
        async with one.load():
            for _ in range(CRASHES):
                await one.elapse(die.uniform(5, 10))
                await one.server.crash()
                again.append(await one.accepts())
        found = await one.close_books(case)
        case.wrong("no lease lost", lost(found))
        case.holds("no child dies", one.lives() == 3, f"{one.lives()} children for 3 places")
    case.wrong("accepts again soon", [seconds for seconds in again if seconds > SOON])
    case.figure(crashes=CRASHES, accepts_again_s=max(again))


@pytest.mark.fault("no-primary")
@pytest.mark.parametrize("kind", SERVERS)
async def test_a_server_that_is_not_the_primary_for_a_while(kind: str, case: Case) -> None:
    """As when an address moves before the other server is promoted: nothing is decided there, no result is
    given up, and who starts meanwhile waits."""
    again = []
    async with site(kind) as one:
        assert isinstance(one.server, Server)
        supervisors = [unit.pid for unit in one.workers]
        killed: set[int] = set()
        async with one.load():
            for _ in range(MOVES):
                await one.elapse(5)
                await one.server.step_down()
                killed |= kill(one.workers[0].children(apart=False))
                await one.elapse(NOBODY_SECONDS)
                await one.server.step_up()
                again.append(await one.accepts())
            case.figure(works_again_s=await one.works(one.workers[0]))
        case.holds("the service goes on", supervisors == [unit.pid for unit in one.workers])
        found = await one.close_books(case)
        others = [row.task_id for row in found.attempts if row.outcome == "lost" and row.pid not in killed]
        case.wrong("no lease lost but those of the killed", others)
    case.wrong("accepts again soon", [seconds for seconds in again if seconds > SOON])
    case.figure(moves=MOVES, accepts_again_s=max(again))


@pytest.mark.fault("connections-cut")
@pytest.mark.parametrize("kind", SERVERS)
async def test_a_server_that_hangs_up(kind: str, case: Case) -> None:
    """About half of all connections end each second, wherever they are in a transaction."""
    die, cut = seeded(kind), 0
    async with site(kind) as one:
        async with one.load():
            for _ in range(HANGUPS):
                await one.elapse(die.uniform(0.5, 1.5))
                cut += hang_up(one, lambda: die.random() < 0.5)
            case.figure(accepts_again_s=await one.accepts())
        found = await one.close_books(case)
        case.wrong("no lease lost", lost(found))
        case.holds("no child dies", one.lives() == 3, f"{one.lives()} children for 3 places")
    case.holds("connections were cut", cut >= HANGUPS, cut)
    case.figure(cut=cut)


def kill(children: list[int]) -> set[int]:
    """Ends these processes; who they were."""
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    return set(children)


def hang_up(one: Site, chosen: Any) -> int:
    """Ends the chosen ones of Duly's connections; how many."""
    asked, ends = {
        "postgres": (
            "SELECT pid FROM pg_stat_activity WHERE datname = 'duly'",
            "SELECT pg_terminate_backend(%s)",
        ),
        "mariadb": ("SELECT id FROM information_schema.processlist WHERE db = 'duly'", "KILL %s"),
    }[one.kind]
    assert isinstance(one.server, Server)
    driver = choose(one.server.admin)
    with closing(driver.connect()) as connection:
        cursor = connection.cursor()
        cursor.execute(asked)
        found = [number for (number,) in cursor.fetchall() if chosen()]
        for number in found:
            with suppress(driver.module.Error):  # it has gone by itself
                cursor.execute(ends, (number,))
    return len(found)
