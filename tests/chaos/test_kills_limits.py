"""Workers die holding limits: no limit is exceeded meanwhile, and none of it leaks."""

from __future__ import annotations

from collections import Counter

from duly.store import limit_care
from support.cluster import Cluster, sudden_death, until

CAP = 2
KEYS = 10


async def most_at_once(workers: Cluster, ids: list[str]) -> int:
    """The most attempts of one key that ran at the same time, as the events tell."""
    moves: dict[str, list[tuple[int, int]]] = {}
    for id_ in ids:
        key, running = str((await workers.task(id_)).limit_key), False
        for event in await workers.events(id_):
            if event.type == "started":
                running = True
                moves.setdefault(key, []).append((event.at, 1))
            elif running and event.type in ("completed", "lost", "handed_back"):
                running = False
                moves.setdefault(key, []).append((event.at, -1))
    most: Counter[str] = Counter()
    for key, its in moves.items():
        now = 0
        for _, step in sorted(its):
            now += step
            most[key] = max(most[key], now)
    return max(most.values())


async def test_kills_neither_exceed_a_limit_nor_leak_it(workers: Cluster) -> None:
    """Four kills -9 of a loaded child: all complete, at most two of a key at once, nothing stays taken."""
    worker = workers.start()
    ids: list[str] = []
    for kill in range(1, 5):
        await worker.says("child.started", kill)
        child = worker.child
        ids += [await workers.submit("keyed", {"key": n % KEYS, "pause": 0.2}) for n in range(100)]
        await until(lambda: any(line["pid"] == child for line in workers.ledger("start")), 20)  # noqa: B023
        sudden_death(child)
        await worker.says("child.died", kill)
    assert {(await workers.end(id_, 60)).status for id_ in ids} == {"completed"}
    assert await most_at_once(workers, ids) <= CAP
    assert await workers.app.database.read(limit_care.look) == limit_care.Found([], [])
