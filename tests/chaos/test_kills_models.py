"""A worker dies between two model calls: the bill has each call once."""

from __future__ import annotations

from pathlib import Path

from duly.failpoints import VARIABLE
from support.cluster import cluster
from support.models import fake, table


async def test_a_killed_worker_pays_nothing_twice(tmp_path: Path) -> None:
    """kill -9 of a worker right after its seventh answer was recorded: forty calls, forty on the bill."""
    async with fake(words=4) as server, cluster(tmp_path, llm=table(server)) as workers:
        worker = workers.start(**{VARIABLE: f"chat.recorded=kill@7?{tmp_path / 'once'}"})
        ids = [await workers.submit("asks", {"sections": 20}) for _ in range(2)]
        ended = [await workers.end(id_, 60) for id_ in ids]
        assert [(task.status, task.result, task.retry_count) for task in ended] == [("completed", 20, 0)] * 2
        assert worker.said("child.died")
    # The other task's call may have been under way: its answer was paid for and could not be recorded.
    assert len(server.book.by_prompt) == 40
    assert server.book.billed <= 41
