"""A worker dies in the middle of a bulk job: each part is done and remembered together, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from duly.model.bulk import BULK
from duly.store import lists
from duly.store.lists import Filter
from duly.submit.admit import Options
from support.cluster import Cluster


@pytest.mark.parametrize("place", ["deed.before_record", "deed.recorded"])
async def test_a_death_around_a_part_of_a_job_counts_each_task_once(
    workers: Cluster, tmp_path: Path, place: str
) -> None:
    """500 tasks are cancelled in three parts; the worker dies around the second."""
    once = tmp_path / "once"
    for _ in range(500):
        await workers.submit("member", {"n": 1}, due=3600)
    workers.start(DULY_FAILPOINTS=f"{place}=kill@2?{once}")
    job = workers.app.operator.job("cancel", Filter(task_type="member"))
    id_ = (await workers.app.client.submit(BULK, job, Options())).id
    ended = await workers.end(id_, 60)
    assert once.exists()
    assert ended.result == {"action": "cancel", "matched": 500, "changed": 500, "unchanged": 0}
    stats = await workers.app.database.read(lists.stats, Filter(task_type="member"))
    assert stats["cancelled"] == sum(stats.values()) == 500
