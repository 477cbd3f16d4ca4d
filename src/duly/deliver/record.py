"""What is recorded of a send: its line in the log, when it is sent again, where a chain goes next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from duly.deliver.channel import Channel, Reply
from duly.deliver.schedule import delay_ms
from duly.model.delivery import LOG_MOST, Outcome
from duly.model.task import Task
from duly.store.deliveries import Delivery, Sent

_ENDING = frozenset({Outcome.REJECTED, Outcome.ROUTE_DEAD})


def recorded(delivery: Delivery, reply: Reply, *, now: int, took: int) -> Sent:
    """Delivered, pending again by schedule, or dead. A chain goes on to its next target when this one
    refuses, is gone, has had its tries, or would be no longer valid at the next one."""
    error = None if reply.error is None else one_line(reply.error)
    outcome = reply.outcome
    log = with_send(delivery, now, outcome=outcome, code=reply.code, error=error, ms=took)
    facts: dict[str, Any] = {
        "id": delivery.id,
        "attempt": delivery.attempt,
        "code": reply.code,
        "error": error,
    }
    facts |= {"outcome": outcome, "log": log, "endpoint": reply.endpoint}
    if reply.ok:
        return Sent(**facts, status="delivered")
    delay = None if outcome in _ENDING or reply.final else _again_in(delivery, reply, now)
    if delay is not None:
        return Sent(**facts, status="pending", delay_ms=delay)
    step = delivery.step + 1
    if step < len(delivery.chain):
        return Sent(**facts, status="pending", delay_ms=0, step=step, to=delivery.chain[step])
    return Sent(**facts, status="dead")


def _again_in(delivery: Delivery, reply: Reply, now: int) -> int | None:
    """Milliseconds until the next send to the same target; None: there is none."""
    made = delivery.attempt - delivery.began
    tries, until = delivery.target.get("tries"), delivery.target.get("valid_until")
    if tries is not None and made >= tries:
        return None
    delay = delay_ms(made, reply.retry_after)
    if delay is not None and until is not None and now + delay >= until:
        return None
    return delay


def impossible(channel: Channel, delivery: Delivery, task: Task, now: int) -> Reply | None:
    """Why it must not even be tried: the target is no longer valid, or its window for answers is closed."""
    until, window = delivery.target.get("valid_until"), channel.capabilities.reply_window
    if window is not None:
        closes = task.created_at + round(window * 1000)
        until = closes if until is None else min(until, closes)
    if until is None or now < until:
        return None
    return Reply(ok=False, final=True, error="the target is no longer valid", kind=Outcome.ROUTE_DEAD)


def too_long(channel: Channel, body: str) -> Reply | None:
    """Why this body is not for this channel."""
    most, size = channel.capabilities.max_body, len(body.encode())
    if most is None or size <= most:
        return None
    return Reply(ok=False, final=True, error=f"the body has {size} bytes; the channel takes {most}")


def with_send(delivery: Delivery, now: int, *, outcome: Outcome, **more: Any) -> str:
    """The delivery's log with one more send; it keeps the last 20."""
    earlier: list[Mapping[str, Any]] = json.loads(delivery.log) if delivery.log else []
    place = {"channel": delivery.channel} if delivery.chain else {}
    line = {"at": now, "attempt": delivery.attempt, "outcome": outcome, **place, **more}
    known = {name: value for name, value in line.items() if value is not None}
    return json.dumps([*earlier, known][-LOG_MOST:], ensure_ascii=False, separators=(",", ":"))


def again_at_once(id_: str, attempt: int, why: str, outcome: Outcome = Outcome.RETRY) -> Sent:
    """Owed again now: what became of this attempt is not known here."""
    return Sent(id=id_, attempt=attempt, status="pending", delay_ms=0, error=why, outcome=outcome)


def one_line(text: str) -> str:
    """Foreign text that every database keeps and no terminal obeys."""
    return "".join(one if one.isprintable() else " " for one in text[:300]).strip()
