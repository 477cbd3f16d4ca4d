"""Why a task stands where it stands: one call, the reasons in order of weight, in words a person can use."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

from duly.clock import iso
from duly.model.errors import TaskNotFound
from duly.model.events import Event, EventType
from duly.model.limit import Rate
from duly.model.policy import MOST_LOSSES
from duly.model.render import error_text
from duly.model.state import Status
from duly.model.task import Task, code_word
from duly.observe.deliveries import target_of
from duly.observe.gates import say_gates
from duly.observe.masking import masked_text
from duly.observe.phrases import phrase
from duly.store import family, gates, items, jobs, limit_desk, lists, queues, weights
from duly.store.database import Database
from duly.store.queues import QueueState
from duly.store.transaction import Transaction

AHEAD_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason: a stable code for programs, a line for people in two languages, the facts behind it."""

    code: str
    text_en: str
    text_zh: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a task is where it is; `summary` is the weightiest reason in English."""

    task_id: str
    status: Status
    summary: str
    reasons: tuple[Reason, ...]


@dataclass(slots=True, kw_only=True)
class _Facts:
    """All that the reasons rest on, read in one view of the database."""

    task: Task
    now: int
    known: Container[str] | None
    ahead: int = 0
    front: frozenset[str] = frozenset()
    weight: int = 1
    last: Event | None = None
    pause: QueueState | None = None
    limit: dict[str, Any] | None = None
    workers: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    children: dict[str, int] = field(default_factory=dict)
    gathers: list[dict[str, Any]] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    def say(self, code: str, zh: dict[str, Any] | None = None, /, **data: Any) -> None:
        """Adds a reason; `zh` has what reads differently in Chinese."""
        english, chinese = phrase(code, data, zh=False), phrase(code, {**data, **(zh or {})}, zh=True)
        self.reasons.append(Reason(code=code, text_en=english, text_zh=chinese, data=data))

    @property
    def living(self) -> list[dict[str, Any]]:
        """The workers whose lease still runs; a sender, which serves no type, is none."""
        return [one for one in self.workers if one["lease_until"] >= self.now and one["types"] != ""]

    @property
    def sent(self) -> bool:
        """Whether somebody sends tasks to Celery workers."""
        return any(one["lease_until"] >= self.now and one["types"] == "" for one in self.workers)

    @property
    def carried(self) -> bool:
        """Whether only Celery workers, whose hosts are node names, serve the queue."""
        return bool(self.serving) and all("@" in one["host"] for one in self.serving)

    @property
    def serving(self) -> list[dict[str, Any]]:
        """Those of them that serve the task's queue."""
        return [worker for worker in self.living if self.task.queue in worker["queues"].split(",")]

    @property
    def words(self) -> set[str] | None:
        """What code these have; None: one of an older release does not tell."""
        told = [one["types"] for one in self.serving]
        return None if None in told else {word for types in told for word in types.split(",")}


async def why(
    database: Database, task_id: str, *, now_ms: int, known_types: Container[str] | None = None
) -> Why:
    """Says why a task stands where it stands.

    Args:
        database: an open database.
        task_id: the task.
        now_ms: milliseconds UTC.
        known_types: the task types this process has handlers for, if it should say when one is missing.

    Raises:
        TaskNotFound: there is no such task.
    """
    facts = await database.read(_facts, task_id, now_ms, known_types)
    if facts is None:
        raise TaskNotFound(f"there is no task {task_id}")
    _REASONS[facts.task.status](facts)
    _family(facts)
    _deadline(facts)
    _deliveries(facts)
    _kept(facts)
    reasons = tuple(facts.reasons)
    return Why(task_id=task_id, status=facts.task.status, summary=reasons[0].text_en, reasons=reasons)


def _facts(tx: Transaction, id_: str, now: int, known: Container[str] | None) -> _Facts | None:
    task = lists.get(tx, id_, result=False)
    if task is None:
        return None
    waits = task.status is Status.WAITING  # signals for other waits may have come since
    events = lists.latest(tx, id_, EventType.WAITING) if waits else lists.events(tx, id_, task.seq - 1)
    ahead = _ahead(tx, task)
    return _Facts(
        task=task,
        now=now,
        known=known,
        ahead=ahead,
        front=lists.front(tx, task.queue, AHEAD_MOST) if ahead >= AHEAD_MOST else frozenset(),
        limit=next(iter(limit_desk.listed(tx, [task.blocked_on])), None) if task.blocked_on else None,
        weight=weights.weight(tx, task.tenant, task.owner) if task.status is Status.PENDING else 1,
        last=events[-1] if events else None,
        pause=next((one for one in queues.paused(tx) if one.name == task.queue), None),
        workers=lists.living_workers(tx),
        attempts=lists.rows_of(tx, "attempt", id_),
        deliveries=lists.rows_of(tx, "delivery", id_),
        jobs=jobs.open_jobs(tx, id_) if waits else [],
        children=family.counts(tx, id_),
        items=items.counts(tx, id_),
        gathers=family.open_gathers(tx, id_) if waits else [],
        gates=gates.listed(tx, events[-1].data.get("gates", [])) if waits and events else [],
    )


def _ahead(tx: Transaction, task: Task) -> int:
    """How many stand before it in the line that it stands in."""
    if task.status is Status.PENDING:
        return lists.ahead_of(tx, task.id, AHEAD_MOST)
    return lists.blocked_before(tx, task.id, AHEAD_MOST) if task.status is Status.BLOCKED else 0


def _pending(facts: _Facts) -> None:
    task, before = facts.task, len(facts.reasons)
    _nobody(facts)
    if task.suspect:
        _apart(facts)
    elif len(facts.reasons) == before:
        if facts.front and facts.front.isdisjoint(facts.words or facts.front) and not facts.carried:
            facts.say("front_not_served", queue=task.queue, most=AHEAD_MOST)
        plus = "+" if facts.ahead >= AHEAD_MOST else ""
        code = "position" if facts.ahead else "next"
        facts.say(code, queue=task.queue, ahead=facts.ahead, plus=plus, workers=len(facts.serving))
        if facts.weight > 1:
            facts.say("weight", owner=task.owner, weight=facts.weight)
        if facts.carried:
            facts.say("carried")
    last = facts.last
    if last is not None and last.type in (EventType.LOST, EventType.HANDED_BACK):
        facts.say(last.type, attempt=task.attempt, detail=last.data.get("reason"))


def _apart(facts: _Facts) -> None:
    """Says that it is run apart from others, and how often it has killed its worker."""
    task = facts.task
    if task.suspect:
        facts.say("apart", share=task.suspect)
    if task.loss_count:
        facts.say("losses", losses=task.loss_count, most=MOST_LOSSES)


def _nobody(facts: _Facts) -> None:
    """Says what keeps every worker from taking the task."""
    task = facts.task
    if facts.pause is not None:
        _paused(facts, facts.pause)
    if facts.known is not None and task.task_type not in facts.known:
        facts.say("type_unknown", task_type=task.task_type)
    if not facts.living:
        facts.say("no_carrier" if facts.sent else "no_worker", queue=task.queue)
    elif not facts.serving:
        facts.say("queue_not_served", queue=task.queue, workers=len(facts.living))
    elif facts.carried and not facts.sent:
        facts.say("no_sender")
    else:
        _unable(facts)


def _unable(facts: _Facts) -> None:
    """Says that no worker of the queue has the code for the task; one of an older release tells nothing."""
    task, words = facts.task, facts.words
    if words is None or code_word(task.task_type, task.code_version) in words:
        return
    where = {"task_type": task.task_type, "queue": task.queue}
    if task.task_type not in words:
        facts.say("type_not_served", **where)
        return
    there = sorted(word.partition("@")[2] for word in words if word.startswith(f"{task.task_type}@"))
    versions = ", ".join(f'"{version}"' for version in there)
    facts.say("version_not_served", **where, version=task.code_version, versions=versions)


def _paused(facts: _Facts, pause: QueueState) -> None:
    at = pause.paused_at or facts.now
    said = {"by": pause.paused_by, "detail": pause.reason}
    code = "queue_paused_by" if pause.paused_by else "queue_paused"
    facts.say(code, queue=pause.name, at=iso(at), span_ms=facts.now - at, **said)


def _blocked(facts: _Facts) -> None:
    """Which limit has no room, and how many tasks wait there before this one."""
    name, limit = facts.task.blocked_on, facts.limit
    if limit is None:
        facts.say("blocked", limit=name)
    elif limit["cap"] is not None and limit["taken"] >= limit["cap"]:
        facts.say("limit_full", limit=name, cap=limit["cap"], running=limit["taken"])
    elif limit["wake_at"] is not None:
        rate = str(Rate(count=limit["rate"], per_ms=limit["per_ms"]))
        at = {"at": iso(limit["wake_at"]), "span_ms": limit["wake_at"] - facts.now}
        facts.say("limit_rate", limit=name, rate=rate, **at)
    else:
        facts.say("limit_room", limit=name)
    if facts.ahead:
        plus = "+" if facts.ahead >= AHEAD_MOST else ""
        facts.say("blocked_before", limit=name, ahead=facts.ahead, plus=plus)
    _nobody(facts)


def _scheduled(facts: _Facts) -> None:
    facts.say("scheduled", **_until(facts))
    _nobody(facts)


def _retry(facts: _Facts) -> None:
    task = facts.task
    counts = {"attempt": task.attempt, "retry": task.retry_count, "max_retries": task.max_retries}
    facts.say("retry", _error_zh(task), **counts, **_until(facts), **_error(task))
    _nobody(facts)


def _waiting(facts: _Facts) -> None:
    told = facts.last.data if facts.last is not None else {}
    kind = facts.task.wait_kind
    _jobs(facts)
    say_gates(facts.gates, facts.say)
    if kind == "children":
        for gather in facts.gathers:
            facts.say("children", id=facts.task.id, **gather)
        if told.get("signal"):
            _suspended(facts, told)
    elif kind in ("sleep", "signal"):
        _suspended(facts, told)
    elif kind == "job":
        if told.get("signal"):
            facts.say("signal", signal=told["signal"])
    elif facts.task.due_at is not None:
        facts.say("snoozed", **_until(facts), kind=kind, detail=told.get("reason"))
    if not facts.reasons:
        facts.say("waiting", kind=facts.task.wait_kind or "?", detail=told.get("reason"))
    _nobody(facts)


def _suspended(facts: _Facts, told: dict[str, Any]) -> None:
    """For what, and until when: the task's own `due_at` may be its deadline's."""
    due = told.get("due_at")
    until = {} if due is None else {"at": iso(due), "span_ms": due - facts.now}
    if facts.task.wait_kind == "sleep":
        facts.say("sleeping", name=told.get("name"), **until)
    else:
        facts.say("signal" if due is None else "signal_until", signal=told.get("signal"), **until)


def _jobs(facts: _Facts) -> None:
    """Each external job that it tracks: when it is polled again, what went wrong, how long at the most."""
    for job in facts.jobs:
        which = {"name": job["name"], "external_id": job["external_id"]}
        due = job["due_at"] or facts.now
        facts.say("job", **which, polls=job["polls"], at=iso(due), span_ms=due - facts.now)
        if job["failures"]:
            facts.say("job_poll_failed", **which, failures=job["failures"], detail=job["error"])
        if (end := job["deadline_at"]) is not None:
            facts.say("job_deadline", **which, at=iso(end), span_ms=end - facts.now)


def _running(facts: _Facts) -> None:
    task, now = facts.task, facts.now
    worker = next((one for one in facts.workers if one["id"] == task.worker_id), None)
    if worker is None:
        facts.say("session_ended", attempt=task.attempt)
    elif worker["lease_until"] < now:
        facts.say("lease_expired", span_ms=now - worker["lease_until"])
    if task.cancel_requested_at is not None:
        facts.say("cancel_requested", span_ms=now - task.cancel_requested_at)
    if worker is not None:
        since = facts.attempts[-1]["started_at"] if facts.attempts else now
        place = {"host": worker["host"], "pid": worker["pid"]}
        facts.say("running", attempt=task.attempt, since=iso(since), span_ms=now - since, **place)
    _apart(facts)
    if task.progress is not None:
        facts.say("progress", percent=round(100 * task.progress), detail=task.progress_message)
    if facts.last is not None:
        facts.say("last_event", type=facts.last.type, span_ms=now - facts.last.at)


def _ended(facts: _Facts) -> None:
    task = facts.task
    ago = {"span_ms": facts.now - (task.completed_at or facts.now), "attempt": task.attempt}
    if task.status is Status.FAILED:
        facts.say("failed", _error_zh(task), **ago, **_error(task))
    else:
        facts.say(task.status.value, **ago)


def _family(facts: _Facts) -> None:
    """Whose child it is, and how its own children and the items of its maps stand."""
    if facts.children:
        counts = ", ".join(f"{number} {status}" for status, number in sorted(facts.children.items()))
        facts.say("family", counts=counts)
    for name in dict.fromkeys(one["name"] for one in facts.items):
        theirs = [one for one in facts.items if one["name"] == name]
        said = ", ".join(f"{one['number']} {one['status']}" for one in theirs)
        facts.say("items", name=name, counts=said)
    if facts.task.parent_id is not None:
        facts.say("child_of", parent=facts.task.parent_id)


def _deadline(facts: _Facts) -> None:
    deadline = facts.task.deadline_at
    if deadline is not None and not facts.task.status.terminal:
        facts.say("deadline", at=iso(deadline), span_ms=deadline - facts.now)


def _deliveries(facts: _Facts) -> None:
    for row in facts.deliveries:
        code = {"pending": "delivery_due", "sending": "delivery_sending", "dead": "delivery_dead"}.get(
            row["status"]
        )
        if code is None:
            continue
        if code == "delivery_due" and row["attempt"]:
            code = "delivery_retry"
        wait = {"span_ms": row["due_at"] - facts.now} if row["due_at"] is not None else {}
        detail = masked_text(row["last_error"] or "")
        sends = {"sends": row["attempt"], "delivery_id": row["id"], "last_code": row["last_code"]}
        facts.say(code, **target_of(row, facts.task.owner), **sends, **wait, detail=detail)


def _kept(facts: _Facts) -> None:
    if (until := facts.task.expires_at) is not None:
        code = "kept" if until > facts.now else "kept_over"
        facts.say(code, at=iso(until), span_ms=until - facts.now)


def _until(facts: _Facts) -> dict[str, Any]:
    due = facts.task.due_at or facts.now
    return {"at": iso(due), "span_ms": due - facts.now}


def _error(task: Task) -> dict[str, Any]:
    return {"error_code": task.error_code, "detail": error_text(task) or task.error_code}


def _error_zh(task: Task) -> dict[str, Any]:
    return {"detail": error_text(task, "zh") or task.error_code}


_REASONS: dict[Status, Callable[[_Facts], None]] = {
    Status.SCHEDULED: _scheduled,
    Status.PENDING: _pending,
    Status.BLOCKED: _blocked,
    Status.RUNNING: _running,
    Status.RETRY: _retry,
    Status.WAITING: _waiting,
    Status.COMPLETED: _ended,
    Status.FAILED: _ended,
    Status.CANCELLED: _ended,
}
