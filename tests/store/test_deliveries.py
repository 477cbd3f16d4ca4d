"""The verbs of the outbox: who gets a delivery, and whose word about it counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.world import World

from duly.model.state import Status
from duly.model.task import Target
from duly.store import claims, deliveries, lists, submissions
from duly.store.deliveries import Delivery, Notice, Sent

INBOX = Target(channel="inbox")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.database.close()


@pytest.fixture(autouse=True)
async def session(world: World) -> None:
    await world.session()


def hook(url: str) -> Target:
    return Target(channel="webhook", url=url)


async def claim(world: World, session: str = "w1", limit: int = 20) -> list[Delivery]:
    [claimed] = await world.database.write_many(deliveries.claim_deliveries, [(session, limit)])
    return claimed  # type: ignore[no-any-return]


async def settle(world: World, delivery: Delivery, status: str, **fields: Any) -> None:
    sent = Sent(id=delivery.id, attempt=delivery.attempt, status=status, **fields)
    await world.database.write(deliveries.settle, sent)


@pytest.mark.parametrize("target", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
async def test_a_delivery_is_owed_with_the_end(world: World, target: Status) -> None:
    """It is held while the task lives, and due in the commit that ends the task."""
    id_ = await world.submit(INBOX)
    claimed = await world.claim()
    assert (await world.delivery(id_))["status"] == "held"
    await world.finish(claimed, target)
    row = await world.delivery(id_)
    assert (row["status"], row["due_at"]) == ("pending", world.clock.now_ms())


async def test_a_delivery_goes_to_one_claimer(world: World) -> None:
    """Two claims in one group share what is due; nobody gets what another has."""
    await world.session("w2")
    for _ in range(6):
        await world.ended(INBOX)
    pairs = [("w1", 4), ("w2", 4)]
    first, second = await world.database.write_many(deliveries.claim_deliveries, pairs)
    assert (len(first), len(second)) == (4, 2)
    assert not {one.id for one in first} & {one.id for one in second}
    assert await claim(world) == []


async def test_the_longest_due_comes_first(world: World) -> None:
    """Claims take deliveries in the order they became due."""
    ids = []
    for _ in range(3):
        ids.append(await world.ended(INBOX))
        world.clock.advance(1)
    assert [one.task_id for one in await claim(world, limit=2)] == ids[:2]


async def test_one_target_gets_a_share(world: World) -> None:
    """A webhook has 8 sends at most under way; others pass its backlog, and inboxes have no such limit."""
    for _ in range(12):
        await world.ended(hook("http://slow/"))
    for _ in range(10):
        await world.ended(INBOX)
    await world.ended(hook("http://other/"))
    claimed = await claim(world, limit=50)
    urls = [one.target["url"] for one in claimed]
    assert (urls.count("http://slow/"), urls.count(""), urls.count("http://other/")) == (8, 10, 1)
    assert await world.database.read(deliveries.due, 50) == 0
    await settle(world, claimed[0], "delivered")
    assert [one.target["url"] for one in await claim(world)] == ["http://slow/"]


async def test_the_look_agrees_with_the_claim(world: World) -> None:
    """`due` counts what a claim would get, and writes nothing."""
    for _ in range(3):
        await world.ended(INBOX)
    assert await world.database.read(deliveries.due, 2) == 2
    assert await world.database.read(deliveries.due, 20) == 3
    assert len(await claim(world)) == 3
    assert await world.database.read(deliveries.due, 20) == 0


async def test_the_look_reads_by_the_clock_index(world: World) -> None:
    """Finding what is due does not scan the deliveries of years."""

    def plan(tx: Any, script: str) -> list[str]:
        rows = tx.core.exec_driver_sql(f"EXPLAIN QUERY PLAN {script}", {"now": 0, "limit": 1})
        return [row[3] for row in rows]

    from duly.store.transaction import script

    [statement] = script("sqlite", "delivery_due")
    steps = await world.database.read(plan, statement)
    on_table = [step for step in steps if step.split(" ")[1] == "delivery"]
    assert on_table
    assert all("USING INDEX delivery_clock" in step for step in on_table), steps


async def test_an_ended_session_gets_nothing(world: World) -> None:
    """A session that others ended claims no delivery."""
    await world.ended(INBOX)
    await world.database.write(claims.rescue, ("w1",))
    assert await claim(world) == []


async def test_the_first_body_is_kept(world: World) -> None:
    """A later body does not replace the first; a stale attempt gets None."""
    await world.ended(INBOX)
    [first] = await claim(world)
    assert await world.database.write(deliveries.fix_body, (first, "one")) == "one"
    await settle(world, first, "pending", delay_ms=0)
    assert await world.database.write(deliveries.fix_body, (first, "late")) is None
    [second] = await claim(world)
    assert (second.body, second.attempt) == ("one", 2)
    assert await world.database.write(deliveries.fix_body, (second, "two")) == "one"


async def test_only_the_current_send_settles(world: World) -> None:
    """A late word of an earlier send changes nothing, even in one group with the current one."""
    id_ = await world.ended(INBOX)
    [first] = await claim(world)
    await settle(world, first, "pending", delay_ms=0)
    [second] = await claim(world)
    words = [
        Sent(id=second.id, attempt=second.attempt, status="delivered", code=200),
        Sent(id=first.id, attempt=first.attempt, status="dead", error="late"),
    ]
    await world.database.write_many(deliveries.settle, words)
    row = await world.delivery(id_)
    assert (row["status"], row["last_code"], row["last_error"]) == ("delivered", 200, None)
    assert row["delivered_at"] == world.clock.now_ms()
    await settle(world, second, "dead")
    assert (await world.delivery(id_))["status"] == "delivered"


async def test_a_failed_send_is_due_after_its_delay(world: World) -> None:
    """Pending again means due `delay_ms` after the record, with the error kept."""
    id_ = await world.ended(INBOX)
    [delivery] = await claim(world)
    world.clock.advance(3)
    await settle(world, delivery, "pending", delay_ms=5000, code=500, error="no")
    row = await world.delivery(id_)
    assert (row["due_at"], row["last_code"], row["last_error"]) == (world.clock.now_ms() + 5000, 500, "no")
    world.clock.advance(4.999)
    assert await claim(world) == []
    world.clock.advance(0.001)
    assert len(await claim(world)) == 1


async def test_a_dead_sessions_deliveries_are_due_again(world: World) -> None:
    """With a session end the deliveries it was sending."""
    await world.session("w2")
    await world.ended(INBOX)
    [lost] = await claim(world)
    await world.database.write(claims.rescue, ("w1",))
    [again] = await claim(world, "w2")
    assert (again.id, again.attempt) == (lost.id, 2)


async def test_a_notice_is_written_once_and_only_by_its_owner(world: World) -> None:
    """The line and the settling commit together; a stale attempt writes neither."""
    id_ = await world.ended(INBOX, owner="ann")
    [first] = await claim(world)
    await settle(world, first, "pending", delay_ms=0)
    [second] = await claim(world)
    for delivery in (first, second, second):
        notice = Notice(
            delivery_id=delivery.id,
            attempt=delivery.attempt,
            task_id=id_,
            tenant="",
            owner="ann",
            type="task.completed",
            body=str(delivery.attempt),
        )
        await world.database.write(deliveries.notify, notice)
    assert [line["body"] for line in await world.database.read(lists.inbox, "", "ann")] == ["2"]
    assert (await world.delivery(id_))["status"] == "delivered"


async def test_another_run_owes_another_answer(world: World) -> None:
    """After an operator's retry an unsent delivery waits for the new end; a sent one gets a successor."""
    unsent = await world.ended(INBOX, target=Status.FAILED)
    sent = await world.ended(hook("http://a/"), target=Status.FAILED)
    [delivery] = [one for one in await claim(world) if one.task_id == sent]
    await settle(world, delivery, "delivered")
    await world.database.write(claims.rescue, ("w1",))
    await world.session("w2")
    for id_ in (unsent, sent):
        await world.database.write(submissions.retry, id_)
    assert [row["status"] for row in await world.deliveries(unsent)] == ["held"]
    assert sorted(row["status"] for row in await world.deliveries(sent)) == ["delivered", "held"]
    for _ in range(2):
        await world.finish(await world.claim("w2"))
    assert len(await claim(world, "w2")) == 2
