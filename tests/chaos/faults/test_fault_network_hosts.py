"""The network between hosts: database, API and two workers in namespaces, and what iptables does there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from support.fault_case import Case
from support.fault_stops import Held, judge_stop
from support.fault_trial import BACK_SECONDS, Trial, close, ground, refusals
from support.netns import Network, NoNamespaces, network
from support.receiver import Receiver
from support.soak import Site
from support.soak_servers import DATABASES, NotInstalled

KINDS = ("postgres", "mariadb")
#: Longer than a lease and a sweep.
CUT_SECONDS = 60.0


@contextlib.asynccontextmanager
async def apart(kind: str, fault: Callable[[Trial, Network], Awaitable[None]]) -> AsyncIterator[Trial]:
    """A trial whose processes are on hosts of their own; skips where there can be none."""
    try:
        with ground() as folder, network("db", "api", "one", "two") as net:
            async with Receiver(host=net.outside.address) as receiver:
                server = DATABASES[kind](folder, net.hosts["db"])
                workers = (net.hosts["one"], net.hosts["two"])
                site = Site(server=server, api=net.hosts["api"], workers=workers)
                yield Trial(kind, folder, receiver, site, lambda trial: fault(trial, net))
    except (NoNamespaces, NotInstalled) as reason:
        pytest.skip(str(reason))


@pytest.mark.fault("worker-cut-off")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_worker_that_is_cut_off_stops_before_its_tasks_run_elsewhere(case: Case, kind: str) -> None:
    """For a minute: nothing is lost, its handlers end with its lease, its tasks end elsewhere."""
    held = Held()

    async def cut(trial: Trial, net: Network) -> None:
        victim = trial.fleet.workers[0]
        held.tasks = await trial.beating(victim, 6)
        held.pids = set(victim.family())
        net.cut_off("one")
        held.at = time.monotonic()
        await asyncio.sleep(CUT_SECONDS)
        net.heal("one")
        case.figure(back_s=round(await trial.whole_again(), 1))

    async with apart(kind, cut) as trial:
        report = await close(case, trial)
        judge_stop(case, trial, held)
        case.figure(late_writes_refused=report.refused)
        case.holds("it comes back", case.figures["back_s"] <= BACK_SECONDS, case.figures["back_s"])


@pytest.mark.fault("worker-cut-off-unattended")
@pytest.mark.parametrize("kind", KINDS)
async def test_late_writes_of_a_worker_that_nobody_stopped_are_refused(case: Case, kind: str) -> None:
    """Its supervisor stands still, so that its handlers outlive the lease, and write when they can again."""

    async def cut(trial: Trial, net: Network) -> None:
        victim = trial.fleet.workers[0]
        await trial.beating(victim, 6)
        victim.pause(whole=False)
        net.cut_off("one")
        await asyncio.sleep(CUT_SECONDS)
        net.heal("one")
        await asyncio.sleep(25)
        victim.resume()
        case.figure(back_s=round(await trial.whole_again(), 1))

    async with apart(kind, cut) as trial:
        report = await close(case, trial)
        case.figure(late_writes_refused=report.refused)
        case.holds("there were late writes", report.refused > 0, report.refused)
        case.holds("it comes back", case.figures["back_s"] <= BACK_SECONDS, case.figures["back_s"])


@pytest.mark.fault("network-resets")
@pytest.mark.parametrize("kind", KINDS)
async def test_connections_that_are_reset_all_the_time_cost_nothing(case: Case, kind: str) -> None:
    """A second of resets, two without, for half a minute: the server never hears that a client is gone."""

    async def resets(trial: Trial, net: Network) -> None:
        for _ in range(10):
            for name in ("api", "one", "two"):
                net.reset("db", trial.server.port, name)
            await asyncio.sleep(1)
            net.heal("db")
            await asyncio.sleep(2)
        case.figure(back_s=round(await trial.whole_again(), 1))

    async with apart(kind, resets) as trial:
        await close(case, trial)
        case.holds("it comes back", case.figures["back_s"] <= BACK_SECONDS, case.figures["back_s"])


@pytest.mark.fault("network-loss")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_network_that_loses_every_third_packet_costs_nothing(case: Case, kind: str) -> None:
    """Three of ten packets to the API and to both workers are lost, for half a minute."""

    async def loss(trial: Trial, net: Network) -> None:
        for name in ("api", "one", "two"):
            net.lose(name, 0.3)
        await asyncio.sleep(30)
        for name in ("api", "one", "two"):
            net.heal(name)
        case.figure(back_s=round(await trial.whole_again(), 1))

    async with apart(kind, loss) as trial:
        await close(case, trial)
        case.holds("it comes back", case.figures["back_s"] <= BACK_SECONDS, case.figures["back_s"])


@pytest.mark.fault("api-black-hole")
@pytest.mark.parametrize("kind", KINDS)
async def test_an_api_without_its_database_says_so_in_time(case: Case, kind: str) -> None:
    """Whatever it sends to the database is gone: a submission is answered 503, and so is /readyz."""

    async def hole(trial: Trial, net: Network) -> None:
        await asyncio.sleep(2)
        net.black_hole("api", trial.server.port)
        await refusals(case, trial, 30)
        net.heal("api")
        begun = time.monotonic()
        case.figure(back_s=round(await trial.whole_again(), 1))
        again = await trial.hand_in()
        took = round(time.monotonic() - begun, 1)
        case.holds("it takes work again", again.status == 202 and took <= 15, f"{again.status} in {took} s")

    async with apart(kind, hole) as trial:
        await close(case, trial)
