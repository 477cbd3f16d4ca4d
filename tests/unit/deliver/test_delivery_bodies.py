"""What a webhook's body says."""

from __future__ import annotations

import json

import pytest

from duly.clock import iso
from duly.deliver.render import BODY_LIMIT, webhook_body
from duly.model.state import Status
from support.world import World


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
async def test_a_body_has_type_timestamp_and_the_task(world: World, status: Status) -> None:
    """{type, timestamp, data}: the timestamp is the moment of the end, data the task as on every wire."""
    await world.session()
    task = await world.task(await world.ended(target=status))
    body = json.loads(webhook_body(task))
    assert sorted(body) == ["data", "timestamp", "type"]
    assert body["type"] == f"task.{status}"
    assert body["timestamp"] == iso(task.completed_at) == body["data"]["completed_at"]
    assert body["data"]["result"] == ({"answer": 42} if status is Status.COMPLETED else None)


async def test_a_large_result_is_fetched_instead(world: World) -> None:
    """A body over 20 kB drops the result, says so, and says where it is; one under keeps it."""
    await world.session()
    for characters, kept in ((BODY_LIMIT // 4, True), (BODY_LIMIT // 3, False)):
        task = await world.task(await world.ended(result=json.dumps("字" * characters)))
        data = json.loads(webhook_body(task))["data"]
        assert (data["result"] is not None) is kept
        assert data.get("result_omitted", False) is not kept
        assert kept or data["url"] == f"/api/tasks/{task.id}"
        assert len(webhook_body(task).encode()) <= BODY_LIMIT
