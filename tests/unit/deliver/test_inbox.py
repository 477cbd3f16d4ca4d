"""The inbox channel writes one line per delivery, in the task's language."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from duly.deliver.inbox import InboxChannel
from duly.deliver.outbox import Outbox
from duly.model.state import Status
from duly.model.task import Target
from duly.store import claims, deliveries, lists
from support.world import World, send_all

INBOX = Target(channel="inbox")


async def lines(world: World, owner: str = "ann") -> list[dict[str, Any]]:
    return await world.database.read(lists.inbox, "", owner)


async def test_the_owner_finds_a_line(world: World, outbox: Outbox) -> None:
    """An ended task writes one line for its owner, and its delivery is delivered in the same commit."""
    id_ = await world.ended(INBOX, owner="ann")
    await send_all(outbox)
    [line] = await lines(world)
    assert (line["task_id"], line["type"], line["read_at"]) == (id_, "task.completed", None)
    assert json.loads(line["body"]) == {
        "title": "Task completed",
        "message": "demo is done (0.0 s).",
        "task_id": id_,
        "task_type": "demo",
        "status": "completed",
    }
    assert (await world.delivery(id_))["status"] == "delivered"
    assert await lines(world, "bob") == []


@pytest.mark.parametrize(
    ("target", "title", "message"),
    [
        (Status.COMPLETED, "任务已完成", "demo 已完成，用时 0.0 秒。"),
        (Status.FAILED, "任务失败", "demo：执行超过了时限。"),
        (Status.CANCELLED, "任务已取消", "demo 已取消。"),
    ],
)
async def test_the_line_is_in_the_tasks_language(
    world: World, outbox: Outbox, target: Status, title: str, message: str
) -> None:
    """metadata.language = zh-CN writes Chinese."""
    code = "timeout" if target is Status.FAILED else None
    await world.ended(INBOX, owner="ann", metadata={"language": "zh-CN"}, target=target, error_code=code)
    await send_all(outbox)
    [line] = await lines(world)
    said = json.loads(line["body"])
    assert (said["title"], said["message"]) == (title, message)


async def test_a_line_stands_there_once(world: World, make_outbox: Callable[..., Outbox]) -> None:
    """Sent by two workers, of which the first was taken for dead, it is written once."""
    await world.session("w1")
    await world.session("w2")
    id_ = await world.ended(INBOX, owner="ann")
    [[first]] = await world.database.write_many(deliveries.claim_deliveries, [("w1", 5)])
    await world.database.write(claims.rescue, {"w1": None})
    await send_all(make_outbox("w2"))
    late = InboxChannel(world.database)
    await late.send(first, "{}", await world.task(id_))
    await late.send(first, "{}", await world.task(id_))
    assert len(await lines(world)) == 1
    assert (await world.delivery(id_))["status"] == "delivered"
