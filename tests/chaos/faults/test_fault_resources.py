"""There is no memory left, or no descriptor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from support import cages
from support.cluster import until
from support.fault_case import Case
from support.fault_site import KINDS, QUICK, Site, site

#: For a supervisor, its child and its quarantine's child, in megabytes; and what the task takes.
CAGE, GREED = 512, 2000
#: Descriptors for each process, and how many connections are opened to it.
FILES, CROWD = 64, 100


def confined(prefix: list[str], *, api: bool = False) -> Callable[[Site], None]:
    """Puts the API, or all workers, behind a limit before they begin."""

    def confine(one: Site) -> None:
        for unit in [one.fleet.api] if api else one.workers:
            unit.prefix = prefix

    return confine


@pytest.mark.fault("memory-limit")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_task_that_takes_all_memory(kind: str, case: Case) -> None:
    """The kernel kills its worker, twice among others and then alone; it is given up, its companions end."""
    with cages.memory(CAGE) as cage:
        async with site(kind, prepare=confined(cage.prefix), workers=1, **QUICK) as one:
            async with one.load():
                await one.accepts()
                hog = await one.submit("soak.hog", {"megabytes": GREED})
                await until(lambda: len(one.said("quarantine.died")) == 3, 150, every=0.2)
                await one.works(one.workers[0])
            found = await one.close_books(case, given_up=1)
            case.figure(killed=cage.kills, children=one.lives(one.workers[0]))
            case.holds("the kernel did it", cage.kills >= 5, cage.kills)
    [row] = [row for row in found.tasks if row.id == hog]
    end = (row.status, row.error_code, row.loss_count, row.retry_count)
    case.holds("given up by the rule", end == ("failed", "worker_lost", 3, 0), end)
    charged = [row.id for row in found.tasks if row.loss_count and row.id != hog]
    case.wrong("nobody else is charged", charged)


@pytest.mark.fault("api-files-exhausted")
@pytest.mark.parametrize("kind", ["sqlite"])
async def test_an_api_without_descriptors(kind: str, case: Case) -> None:
    """More connections than it can open: some wait, none is answered wrongly, and all goes on after."""
    async with site(kind, prepare=confined(cages.open_files(FILES), api=True)) as one:
        async with one.load():
            await one.accepts()
            idle = [await asyncio.open_connection("127.0.0.1", one.port) for _ in range(CROWD)]
            await one.elapse(8)
            during = await one.status("/livez", 2)
            for _, writer in idle:
                writer.close()
            case.figure(livez_during=during, accepts_again_s=await one.accepts())
            await until(lambda: answers(one), 30, every=0.5)
        await one.close_books(case)
        case.holds("the same process", one.lives(one.fleet.api) == 1, one.lives(one.fleet.api))


@pytest.mark.fault("worker-files-exhausted")
@pytest.mark.parametrize("kind", KINDS)
async def test_a_worker_without_descriptors(kind: str, case: Case) -> None:
    """A task takes all descriptors of its process for a while: its companions end, and so does it."""
    async with site(kind, prepare=confined(cages.open_files(FILES)), workers=1) as one:
        async with one.load():
            await one.accepts()
            id_ = await one.submit("soak.files", {"seconds": 8})
            await until(lambda: marked(one, "exhausted", id_), 30)
            case.figure(works_meanwhile_s=await one.works(one.workers[0]))
            await until(lambda: marked(one, "completed", id_), 30)
            case.figure(works_again_s=await one.works(one.workers[0]))
        await one.close_books(case)
        case.holds("the same process", one.lives(one.workers[0]) == 1, one.lives(one.workers[0]))


def marked(one: Site, what: str, task: str) -> bool:
    """Whether a handler has noted this."""
    one.ledger.read()
    return any((line.what, line.task) == (what, task) for line in one.ledger.lines)


async def answers(one: Site) -> bool:
    """Whether the API is well."""
    return await one.status("/livez", 2) == 200 and await one.status("/readyz", 5) == 200
