"""The tutorial, on limits: so many at once, per key, in a time, or waiting to start; set while all runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from duly import Context, Duly
from duly.model.errors import QueueFull, QuotaExceeded
from duly.model.state import Status
from duly.observe.why import why
from duly.testing import Harness, harness_fixture
from support.cluster import until

duly = Duly()
now: Counter[str] = Counter()
most: Counter[str] = Counter()


@pytest.fixture(autouse=True)
def _forget() -> None:
    now.clear()
    most.clear()


async def busy(*words: str) -> None:
    """Is counted under these words while it works."""
    now.update(words)
    for word in words:
        most[word] = max(most[word], now[word])
    await asyncio.sleep(0)
    now.subtract(words)


@duly.task("call", concurrency=3, limit_key="campaign", key_concurrency=1)
async def call(ctx: Context, campaign: str) -> str:
    """At most three calls at a time, and of one campaign one after the other."""
    await busy("call", campaign)
    return campaign


@duly.task("report")
async def report(ctx: Context) -> None:
    await busy("report")


@duly.task("letter", rate="2/h")
async def letter(ctx: Context) -> None:
    """Two at once, and then one each half hour."""


harness = harness_fixture(duly, concurrency=8, poll=0.05)


async def statuses(harness: Harness, ids: list[str]) -> Counter[Status]:
    return Counter([(await harness.app.client.get(id_)).status for id_ in ids])


async def test_a_type_and_each_of_its_keys_run_no_more_at_once_than_declared(harness: Harness) -> None:
    """Whatever waits for room waits as `blocked`, and all of it runs in the end."""
    await harness.worker.start()
    ids = [(await harness.submit("call", {"campaign": one})).id for one in "aaabbbccdd" * 2]
    await harness.run_until_idle()
    await harness.worker.stop()
    assert await statuses(harness, ids) == {Status.COMPLETED: 20}
    assert 1 <= most["call"] <= 3
    assert {most[one] for one in "abcd"} == {1}


async def test_idle_is_not_what_a_loop_has_just_worked_on(harness: Harness, monkeypatch: Any) -> None:
    """The worker's own loop begins and ends a task while it is asked; what waited for it is due then."""
    ids = [(await harness.submit("call", {"campaign": "e"})).id for _ in range(2)]
    claim = harness.worker.claim

    async def nothing_for_us() -> int:
        await claim()
        await until(lambda: not harness.worker.runner.busy)
        return 0

    monkeypatch.setattr(harness.worker, "claim", nothing_for_us)
    await harness.run_until_idle()
    assert await statuses(harness, ids) == {Status.COMPLETED: 2}


async def test_an_operator_limits_a_queue_while_all_runs(harness: Harness) -> None:
    """`duly limit set queue/default --concurrency 1`; with `clear` the word ends."""
    await harness.app.limits.put("queue/default", concurrency=1, by="ann")
    ids = [(await harness.submit("report")).id for _ in range(4)]
    await harness.run_until_idle()
    assert most["report"] == 1
    assert await statuses(harness, ids) == {Status.COMPLETED: 4}
    limit = await harness.app.limits.clear("queue/default")
    assert (limit["cap"], limit["taken"], limit["blocked"]) == (None, 0, 0)
    ids += [(await harness.submit("report")).id for _ in range(4)]
    await harness.run_until_idle()
    assert 1 <= most["report"] <= 4
    assert await statuses(harness, ids) == {Status.COMPLETED: 8}


async def test_a_rate_spreads_starts_over_time_and_why_says_when_the_next_is(harness: Harness) -> None:
    """`rate="2/h"`: the third letter waits for half an hour."""
    await harness.worker.start()
    ids = [(await harness.submit("letter")).id for _ in range(3)]
    await harness.run_until_idle()
    await harness.worker.stop()
    assert await statuses(harness, ids) == {Status.COMPLETED: 2, Status.BLOCKED: 1}
    said = await why(harness.app.database, ids[2], now_ms=harness.clock.now_ms())
    assert said.reasons[0].code == "limit_rate"
    assert "type/letter lets 2/h start" in said.summary


async def test_beyond_an_owners_quota_a_submit_is_refused_and_nobody_else_suffers(harness: Harness) -> None:
    """`duly limit set 'owner/*' --waiting 2`: a third task that would wait to start is not accepted (over
    HTTP: 429 with Retry-After), and there is room again as soon as one has started."""
    await harness.app.limits.put("owner/*", waiting=2, by="op")
    for _ in range(2):
        await harness.submit("report", owner="ann")
    with pytest.raises(QuotaExceeded, match="this owner"):
        await harness.submit("report", owner="ann")
    await harness.submit("report", owner="bob")
    await harness.run_until_idle()
    task = await harness.submit("report", owner="ann")
    await harness.run_until_idle()
    await harness.assert_completed(task.id)


async def test_a_full_queue_says_so_and_keeps_what_it_has_accepted(harness: Harness) -> None:
    """`duly limit set queue/default --waiting 2`: 503 over HTTP; nothing is accepted and dropped."""
    await harness.app.limits.put("queue/default", waiting=2, by="op")
    ids = [(await harness.submit("report")).id for _ in range(2)]
    with pytest.raises(QueueFull):
        await harness.submit("report")
    await harness.run_until_idle()
    assert await statuses(harness, ids) == {Status.COMPLETED: 2}
