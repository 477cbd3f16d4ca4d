"""Why a task stands where it stands: one call, every reason in two languages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from duly.model.errors import TaskNotFound
from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Step, Target
from duly.observe.phrases import PHRASES, one_line, phrase, span
from duly.observe.why import Reason, Why, why
from duly.store import deliveries, journal, pauses, sessions, submissions, waits
from duly.store.deliveries import Sent
from duly.store.pauses import Pause
from duly.store.transaction import Transaction
from support.world import World

MINUTE = 60_000


async def ask(world: World, id_: str, **options: Any) -> Why:
    said = await why(world.database, id_, now_ms=world.clock.now_ms(), **options)
    assert said.summary == said.reasons[0].text_en
    for reason in said.reasons:
        for text in (reason.text_en, reason.text_zh):
            assert text.isprintable(), text
            assert text.endswith((".", "。"))
            assert "None" not in text
            assert "{" not in text
    return said


def codes(said: Why) -> list[str]:
    return [reason.code for reason in said.reasons]


def the(said: Why, code: str) -> Reason:
    [reason] = [one for one in said.reasons if one.code == code]
    return reason


async def test_nobody_works(world: World) -> None:
    """Without a living worker that is the reason, and what to do is said."""
    said = await ask(world, await world.submit())
    assert codes(said) == ["no_worker"]
    assert said.summary == "No worker is running. Start one: duly worker."
    assert said.status is Status.PENDING


async def test_a_paused_queue_says_so_first(world: World) -> None:
    """With who paused it, since when and why; nothing is said of a queue that is open again."""
    await world.session()
    id_ = await world.submit()
    await world.database.write(pauses.pause, Pause(queue="default"))
    assert codes(await ask(world, id_))[0] == "queue_paused"
    await world.database.write(pauses.pause, Pause(queue="default", by="ann", reason="the model is down"))
    world.clock.advance(20)
    said = await ask(world, id_)
    assert codes(said) == ["queue_paused_by"]
    assert said.summary == (
        "The queue default was paused by ann 20 s ago (to open it: duly queue resume default): "
        "the model is down."
    )
    await world.database.write(pauses.resume, "default")
    assert codes(await ask(world, id_)) == ["next"]


async def test_a_worker_whose_lease_ran_out_does_not_count(world: World) -> None:
    """A session that nobody renews is no worker."""
    id_ = await world.submit()
    await world.session()
    assert codes(await ask(world, id_)) == ["next"]
    world.clock.advance(31)
    assert codes(await ask(world, id_)) == ["no_worker"]


async def test_nobody_serves_the_queue(world: World) -> None:
    """Workers of other queues do not help."""
    await world.session(queues=("mail", "default-2"))
    said = await ask(world, await world.submit())
    assert codes(said) == ["queue_not_served"]
    assert said.reasons[0].data == {"queue": "default", "workers": 1}


async def serving(world: World, id_: str, *types: str) -> None:
    """A living worker of the queue that says what it has."""
    session = sessions.Session(id=id_, host="h", pid=1, queues=("default",), types=types)
    await world.database.write(sessions.start, session)


async def test_with_celery_somebody_must_send_and_somebody_take(world: World) -> None:
    """A sender is no worker; Celery workers without one wait for ever; with both, a message is on its way."""
    id_ = await world.submit()
    await serving(world, "sender")
    assert codes(await ask(world, id_)) == ["no_carrier"]
    node = sessions.Session(id="w1", host="celery@box", pid=1, queues=("default",), types=("demo",))
    await world.database.write(sessions.start, node)
    assert codes(await ask(world, id_)) == ["next", "carried"]
    await world.rescue("sender")
    assert codes(await ask(world, id_)) == ["no_sender"]


async def test_no_worker_has_a_handler(world: World) -> None:
    """Said once all workers of the queue say what they have, and until one has it."""
    id_ = await world.submit(task_type="novel.write")
    await serving(world, "w1", "novel", "novel@", "novel.writer", "novel.writer@")
    assert (await ask(world, id_)).summary == (
        "No running worker of the queue default has a handler for novel.write."
    )
    await serving(world, "w2", "novel.write", "novel.write@7")
    assert codes(await ask(world, id_)) == ["next"]


async def test_no_worker_has_the_version(world: World) -> None:
    """It names the one that the task began with and those that are there; a sleeping task says so too."""
    await world.session()
    id_ = await world.submit()
    claimed = await world.claim()
    nap = Step(name="nap", n=1, digest="d", value="null", attempt=1, waits_for="go")
    await world.database.write(waits.wait, waits.WaitRecord(id=id_, attempt=1, step=nap, version="1"))
    await world.finish(claimed, Status.PENDING, event=EventType.HANDED_BACK)
    assert codes(await ask(world, id_))[0] == "next"  # a worker of an older release does not say what it has
    await world.rescue("w1")
    await serving(world, "w2", "demo", "demo@", "demo@2", "other", "other@1")
    said = await ask(world, id_)
    assert codes(said)[0] == "version_not_served"
    assert said.summary == (
        'It belongs to version "1" of demo; no worker of default has it (there: "", "2").'
    )
    await serving(world, "w3", "demo", "demo@1")
    assert codes(await ask(world, id_))[0] == "next"


async def test_the_place_in_the_queue(world: World) -> None:
    """How many come before it and how many workers serve the queue; the first is next."""
    await world.session()
    await world.session("w2", ("mail", "default"))
    ids = [await world.submit() for _ in range(3)]
    assert codes(await ask(world, ids[0])) == ["next"]
    reason = the(await ask(world, ids[2]), "position")
    assert (reason.data["ahead"], reason.data["workers"]) == (2, 2)
    assert reason.text_en.startswith("Tasks before it in the queue default: 2 ")


async def test_a_type_that_is_not_known_here(world: World) -> None:
    """Given the types of this process, a missing handler is said first."""
    await world.session()
    id_ = await world.submit(task_type="novel.write")
    assert codes(await ask(world, id_, known_types={"demo"})) == ["type_unknown"]
    assert codes(await ask(world, id_, known_types={"novel.write"})) == ["next"]


async def test_a_scheduled_task(world: World) -> None:
    """Until when, and in how long."""
    await world.session()
    id_ = await world.submit(due_at=world.clock.now_ms() + 90 * MINUTE)
    reason = the(await ask(world, id_), "scheduled")
    assert reason.data["span_ms"] == 90 * MINUTE
    assert reason.text_en.endswith("in 1 h 30 min.")
    assert reason.text_zh.endswith("还有 1 小时 30 分钟。")


async def test_a_retry(world: World) -> None:
    """Which retry of how many, when, and after which error."""
    await world.session()
    id_ = await world.submit()
    await world.finish(
        await world.claim(),
        Status.RETRY,
        delay_ms=4000,
        charge=1,
        error_code="timeout",
        error="It took\n600 s.",
    )
    reason = the(await ask(world, id_), "retry")
    assert reason.text_en == "Attempt 1 failed; retry 1 of 3 is due in 4 s: It took 600 s."
    assert reason.text_zh == "第 1 次执行失败；第 1 次重试（最多 3 次）将在 4 秒后进行：执行超过了时限。"


async def test_a_snoozed_task(world: World) -> None:
    """Until when it sleeps, and the handler's reason."""
    await world.session()
    id_ = await world.submit()
    snooze = {"delay_ms": 60_000, "wait_kind": "snooze", "reason": "the bank is closed"}
    await world.finish(await world.claim(), Status.WAITING, **snooze)
    reason = the(await ask(world, id_), "snoozed")
    assert reason.text_en.endswith("for 1 min more: the bank is closed.")


async def test_a_running_task(world: World) -> None:
    """Which attempt, where, since when, how far, and its last sign of life."""
    await world.session()
    id_ = await world.submit()
    await world.claim()
    world.clock.advance(5)
    lines = journal.Lines(
        id=id_, attempt=1, events=((EventType.PROGRESS, {}),), progress=0.4, message="facts gathered"
    )
    await world.database.write(journal.append, lines)
    world.clock.advance(3)
    said = await ask(world, id_)
    assert codes(said) == ["running", "progress", "last_event"]
    assert said.summary == "Attempt 1 has been running for 8 s on host-1 (process 4711)."
    assert the(said, "progress").text_en == "Progress: 40 %: facts gathered."
    assert the(said, "last_event").text_en == "Last sign of life: progress, 3 s ago."


async def test_a_cancel_that_is_not_honoured_yet(world: World) -> None:
    """Since when the attempt has been asked to stop."""
    await world.session()
    id_ = await world.submit()
    await world.claim()
    await world.database.write(submissions.cancel, id_)
    world.clock.advance(2)
    assert (await ask(world, id_)).summary.startswith("A cancel was asked for 2 s ago")


async def test_a_worker_that_has_gone_silent(world: World) -> None:
    """The lease is over and nobody has rescued the task yet."""
    await world.session()
    id_ = await world.submit()
    await world.claim()
    world.clock.advance(35)
    said = await ask(world, id_)
    assert codes(said) == ["lease_expired", "running", "last_event"]
    assert the(said, "lease_expired").data == {"span_ms": 5000}


async def test_a_worker_that_was_ended(world: World) -> None:
    """Its session has ended and the task is still to be rescued."""
    await world.session()
    id_ = await world.submit()
    await world.claim()

    def end(tx: Transaction, sessions: Sequence[str]) -> list[None]:
        tx.run("session_end", sessions)
        return [None for _ in sessions]

    await world.database.write(end, "w1")
    assert codes(await ask(world, id_)) == ["session_ended", "last_event"]


async def test_a_task_that_lost_its_worker(world: World) -> None:
    """Once it runs on among others; when it loses the next one too it waits for a process apart from them."""
    for session in ("w1", "w2", "w3"):
        await world.session(session)
    id_ = await world.submit()
    await world.claim("w1")
    await world.rescue("w1")
    assert codes(await ask(world, id_)) == ["next", "lost"]
    await world.claim("w2")
    await world.rescue("w2")
    said = await ask(world, id_)
    assert codes(said) == ["apart", "lost"]
    assert said.summary == "Workers died in a row while it ran; it is run apart, at most 1 in one process."


async def test_a_task_that_killed_its_worker(world: World) -> None:
    """How often it was alone with a worker that died, and when it is given up, also while it runs again."""
    id_ = await world.submit()
    for session, beside in (("w1", None), ("w2", None), ("w3", ()), ("w4", ())):
        await world.session(session)
        await world.claim(session, beside=beside)
        await world.rescue(session)
    await world.session("w5")
    said = await ask(world, id_)
    assert codes(said) == ["apart", "losses", "lost"]
    assert the(said, "losses").text_en == "Its worker died 2 times while it ran alone; after 3 it fails."
    await world.claim("w5", beside=())
    assert codes(await ask(world, id_)) == ["running", "apart", "losses", "last_event"]
    await world.rescue("w5")
    said = await ask(world, id_)
    assert said.summary.endswith("in attempt 5: Its worker died 3 times while it ran this task alone.")
    assert the(said, "failed").text_zh.endswith("执行该任务的工作进程多次意外终止。")


async def test_a_task_that_was_handed_back(world: World) -> None:
    """With the reason of the worker that stopped first."""
    await world.session()
    id_ = await world.submit()
    back = {"event": EventType.HANDED_BACK, "outcome": "handed_back", "reason": "the worker stops"}
    await world.finish(await world.claim(), Status.PENDING, **back)
    said = await ask(world, id_)
    assert the(said, "handed_back").text_en.endswith("uncharged: the worker stops.")


async def test_a_deadline(world: World) -> None:
    """While it is not done, a task with a deadline says how long is left."""
    await world.session()
    id_ = await world.submit(deadline_at=world.clock.now_ms() + 2 * MINUTE)
    assert the(await ask(world, id_), "deadline").data["span_ms"] == 2 * MINUTE
    await world.finish(await world.claim())
    assert codes(await ask(world, id_)) == ["completed", "kept"]


@pytest.mark.parametrize(
    ("target", "fields", "text"),
    [
        (Status.COMPLETED, {}, "It completed 3 s ago."),
        (Status.FAILED, {"error": "No text.", "error_code": "no_text"}, "in attempt 1: No text."),
        (Status.FAILED, {"error_code": "no_text"}, "in attempt 1: no_text."),
        (Status.CANCELLED, {}, "It was cancelled 3 s ago."),
    ],
)
async def test_a_task_that_has_ended(
    world: World, target: Status, fields: Mapping[str, Any], text: str
) -> None:
    """How it ended, when, and its error."""
    await world.session()
    id_ = await world.ended(target=target, **fields)
    world.clock.advance(3)
    assert (await ask(world, id_)).summary.endswith(text)


async def test_until_when_it_is_kept(world: World) -> None:
    """Once it has ended; and when that time is over, that it will be deleted."""
    await world.session()
    id_ = await world.ended(result_ttl_ms=2 * MINUTE)
    assert the(await ask(world, id_), "kept").data["span_ms"] == 2 * MINUTE
    world.clock.advance(120)
    assert codes(await ask(world, id_)) == ["completed", "kept_over"]


async def test_an_answer_that_is_still_owed(world: World) -> None:
    """Each delivery that has not arrived says where it goes (the host only), how often it failed and why."""
    await world.session()
    id_ = await world.ended(Target(channel="webhook", url="https://hooks.example/robot?access_token=s3cret"))
    assert codes(await ask(world, id_)) == ["completed", "delivery_due", "kept"]
    [[delivery]] = await world.database.write_many(deliveries.claim_deliveries, [("w1", 1)])
    assert codes(await ask(world, id_)) == ["completed", "delivery_sending", "kept"]
    again = Sent(
        id=delivery.id, attempt=1, status="pending", delay_ms=5000, code=500, error="HTTP 500 ?token=s3cret"
    )
    await world.database.write(deliveries.settle, again)
    reason = the(await ask(world, id_), "delivery_retry")
    assert reason.text_en == (
        "Its answer to hooks.example (webhook) has not arrived (sends: 1); the next try is in 5 s: "
        "HTTP 500 ?token=***."
    )
    assert "s3cret" not in str(reason)
    world.clock.advance(5)
    await world.database.write_many(deliveries.claim_deliveries, [("w1", 1)])
    dead = Sent(id=delivery.id, attempt=2, status="dead", code=410, error="HTTP 410")
    await world.database.write(deliveries.settle, dead)
    assert the(await ask(world, id_), "delivery_dead").data["last_code"] == 410


async def test_an_answer_that_arrived_is_not_mentioned(world: World) -> None:
    """A delivered answer is no reason for anything."""
    await world.session()
    id_ = await world.ended(Target(channel="inbox"))
    [[delivery]] = await world.database.write_many(deliveries.claim_deliveries, [("w1", 1)])
    await world.database.write(deliveries.settle, Sent(id=delivery.id, attempt=1, status="delivered"))
    assert codes(await ask(world, id_)) == ["completed", "kept"]


async def test_an_unknown_task(world: World) -> None:
    """There is no why without a task."""
    with pytest.raises(TaskNotFound):
        await ask(world, "nowhere")


@pytest.mark.parametrize(
    ("milliseconds", "en", "zh"),
    [
        (-5, "less than 1 s", "不到 1 秒"),
        (12_345, "12 s", "12 秒"),
        (60_000, "1 min", "1 分钟"),
        (7_380_000, "2 h 3 min", "2 小时 3 分钟"),
        (200_000_000, "2 d 7 h", "2 天 7 小时"),
    ],
)
def test_a_span_of_time(milliseconds: int, en: str, zh: str) -> None:
    """In its two largest units."""
    assert (span(milliseconds), span(milliseconds, zh=True)) == (en, zh)


def test_foreign_text_stays_on_its_line() -> None:
    """An error of many lines with terminal sequences is flattened and cut."""
    assert one_line("a\n\x1b[31m  b.\u2028") == "a [31m b"
    assert len(one_line("x" * 1000)) == 301


@pytest.mark.parametrize("code", sorted(PHRASES))
def test_every_reason_can_be_said(code: str) -> None:
    """Each phrase asks in both languages for the same facts, and is one sentence with a full stop."""
    english, chinese = PHRASES[code]
    asked = set(re.findall(r"{(\w+)}", english))
    assert asked == set(re.findall(r"{(\w+)}", chinese))
    facts = {"span_ms": 5000, **dict.fromkeys(asked - {"span"}, "7")}
    assert phrase(code, facts, zh=False).endswith(".")
    assert phrase(code, facts, zh=True).endswith("。")
