"""A proxy that misbehaves between the processes of Duly and their database, or the receiver of a webhook."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from duly.store import lists
from support.cluster import until
from support.fault_case import Case
from support.fault_stops import Held, judge_stop
from support.fault_trial import BACK_SECONDS, Trial, close, ground, refusals
from support.proxy import Proxy, proxy
from support.receiver import Receiver
from support.soak import Site
from support.soak_servers import DATABASES, HERE, NotInstalled, Server

KINDS = ("postgres", "mariadb")
#: Longer than a lease and a sweep.
STALL_SECONDS = 60.0
#: Each way. A claim is five round trips on MariaDB, and locks its session for three of them.
AWAY_SECONDS = {"postgres": 0.3, "mariadb": 0.15}
#: How many tasks are accepted meanwhile, at least.
GOES_ON = {"postgres": 40, "mariadb": 12}


@contextlib.asynccontextmanager
async def behind(
    kind: str, units: tuple[str, ...], fault: Callable[[Trial, Proxy], Awaitable[None]]
) -> AsyncIterator[Trial]:
    """A trial in which some of the API and two workers reach the database through one proxy."""
    with ground() as folder, contextlib.ExitStack() as stack:
        server = DATABASES[kind](folder)
        assert isinstance(server, Server)
        between = stack.enter_context(proxy("127.0.0.1", server.port))
        urls = dict.fromkeys(units, server.url.replace(f":{server.port}/", f":{between.port}/"))
        site = Site(server=server, workers=(HERE, HERE), urls=urls)
        try:
            async with Receiver() as receiver:
                yield Trial(kind, folder, receiver, site, lambda trial: fault(trial, between))
        except NotInstalled as reason:
            pytest.skip(str(reason))


@pytest.mark.fault("database-slow")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_database_that_is_far_away_costs_no_lease(case: Case, kind: str) -> None:
    """As on the other side of the Earth, for longer than a lease: every session is renewed in time."""
    left: list[float] = []

    async def slow(trial: Trial, between: Proxy) -> None:
        between.delay = AWAY_SECONDS[kind]
        for _ in range(45):
            await asyncio.sleep(1)
            workers = await trial.database.read(lists.living_workers)
            now = trial.database.clock.now_ms()
            left.append(min((one["lease_until"] - now for one in workers), default=0) / 1000)
        between.heal()
        case.figure(back_s=round(await trial.whole_again(), 1))

    async with behind(kind, ("api", "worker-0", "worker-1"), slow) as trial:
        await close(case, trial)
        accepted = case.figures["accepted"]
        case.holds("the work goes on", accepted >= GOES_ON[kind], accepted)
        case.figure(least_lease_left_s=round(min(left), 1))
        case.holds("leases are renewed long before their end", min(left) > 10, min(left))
        case.figure(renewed_at_the_second_try=len(trial.said("lease.renew_failed")))
        for event in ("session.lost", "child.killed"):
            case.wrong(event, trial.said(event))


@pytest.mark.fault("database-stalls")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_database_that_takes_everything_and_says_nothing_leaves_nobody_hanging(
    case: Case, kind: str
) -> None:
    """Half open for a minute: no reset, no missing acknowledgement tells the API and one of two workers."""
    held = Held()

    async def stall(trial: Trial, between: Proxy) -> None:
        victim = trial.fleet.workers[0]
        held.tasks = await trial.beating(victim, 6)
        held.pids = set(victim.family())
        between.stall()
        held.at = time.monotonic()
        await refusals(case, trial, STALL_SECONDS)
        between.cut()
        between.heal()
        case.figure(back_s=round(await trial.whole_again(), 1))

    async with behind(kind, ("api", "worker-0"), stall) as trial:
        await close(case, trial)
        judge_stop(case, trial, held)
        case.holds("all come back", case.figures["back_s"] <= BACK_SECONDS, case.figures["back_s"])


@pytest.mark.fault("answers-damaged")
@pytest.mark.parametrize("kind", KINDS)
async def test_answers_that_are_lost_or_cut_in_half_are_asked_for_again(case: Case, kind: str) -> None:
    """One of fifty is damaged, commits too: each task is recorded once, known to its client or not."""

    async def damage(trial: Trial, between: Proxy) -> None:
        between.damage = 0.02
        await asyncio.sleep(40)
        between.heal()
        case.figure(damaged=between.damaged)
        case.figure(back_s=round(await trial.whole_again(), 1))

    async with behind(kind, ("api", "worker-0", "worker-1"), damage) as trial:
        await close(case, trial)
        case.holds("answers were damaged", case.figures["damaged"] > 5, case.figures["damaged"])
        case.holds("all come back", case.figures["back_s"] <= BACK_SECONDS, case.figures["back_s"])


@pytest.mark.fault("receiver-resets")
@pytest.mark.parametrize("kind", ["sqlite", *KINDS])
async def test_a_receiver_that_reads_and_then_resets_is_told_again(case: Case, kind: str) -> None:
    """It gets six webhooks and never says so: each comes again, the same."""
    with ground() as folder, contextlib.ExitStack() as stack:
        async with Receiver() as receiver:
            between = stack.enter_context(proxy("127.0.0.1", receiver.port))

            async def resets(trial: Trial) -> None:
                between.damage = 1.0
                await until(lambda: between.damaged >= 6, 90, every=0.1)
                between.heal()

            site = Site(server=DATABASES[kind](folder), workers=(HERE, HERE))
            hook = f"http://127.0.0.1:{between.port}/hook"
            try:
                trial = Trial(kind, folder, receiver, site, resets, hook=hook)
                await close(case, trial)
            except NotInstalled as reason:
                pytest.skip(str(reason))
            ids = {one.headers["webhook-id"] for one in receiver.requests}
            case.figure(webhooks=len(ids), requests=len(receiver.requests), resets=between.damaged)
            case.holds("what was reset came again", len(receiver.requests) > len(ids), len(receiver.requests))
