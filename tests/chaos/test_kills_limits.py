"""Workers die holding limits: no limit is exceeded meanwhile, and none of it leaks."""

from __future__ import annotations

from duly.store import limit_care
from support.cluster import Cluster, sudden_death, until
from support.rooms import moments

CAP = 2
KEYS = 10


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
    keys = {id_: str((await workers.task(id_)).limit_key) for id_ in ids}
    told = [event for id_ in ids for event in await workers.events(id_)]
    assert max(count for _, _, count in moments(told, keys)) <= CAP
    assert await workers.app.database.read(limit_care.look) == limit_care.Found([], [])
