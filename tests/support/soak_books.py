"""What the database says after a soak, and how it fits what clients, handlers and the receiver wrote down."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from duly.model.state import TERMINAL
from duly.store import schema
from duly.store.database import Database
from support import invariants, soak_kin
from support.history import Mark, Operation, Phase, repeated_steps, total_queue
from support.receiver import Received
from support.soak_register import unexplained

Rows = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The rows that the checks need, and what the invariants say."""

    tasks: Rows
    events: Rows
    attempts: Rows
    deliveries: Rows
    results: dict[str, Any]
    broken: list[str]
    items: Rows = ()

    @property
    def keys(self) -> dict[str, str]:
        """Task to idempotency key, of those that clients submitted."""
        return {row.id: row.idempotency_key for row in self.tasks if by_client(row)}

    @property
    def recorded(self) -> dict[tuple[str, int], int]:
        """(task, mark from 0) to the attempt whose value is kept."""
        return {(id_, mark["n"] - 1): mark["attempt"] for id_, mark in self.marks()}

    def marks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(task, data) of the steps with an effect."""
        steps = ((row.task_id, json.loads(row.data)) for row in self.events if row.type == "step")
        return ((id_, step) for id_, step in steps if step["name"] == "mark")

    def ends(self) -> dict[str, list[dict[str, Any]]]:
        """Task to its terminal events, as data with `status`."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in self.events:
            if row.type in TERMINAL:
                found[row.task_id].append({**json.loads(row.data), "status": row.type})
        return found


def by_client(row: Any) -> bool:
    """Whether a task was submitted over HTTP: it is no child and no tick."""
    return row.parent_id is None and not str(row.idempotency_key).startswith("schedule/")


def kept(database: Database) -> Kept:
    """Reads it all; nobody may be writing."""
    task, event, attempt, worker = schema.task, schema.event, schema.attempt, schema.worker
    delivery, data = schema.delivery, schema.task_data
    lives = sa.select(attempt, worker.c.pid).join(worker, worker.c.id == attempt.c.worker_id)
    body = sa.select(data.c.task_id, data.c.text).where(data.c.kind == "result", data.c.part == 0)
    engine = database.engine(read_only=True)
    with engine.connect() as connection:
        return Kept(
            tasks=connection.execute(sa.select(task)).all(),
            events=connection.execute(sa.select(event).order_by(event.c.task_id, event.c.seq)).all(),
            attempts=connection.execute(lives).all(),
            deliveries=connection.execute(sa.select(delivery)).all(),
            results={row.task_id: json.loads(row.text) for row in connection.execute(body)},
            broken=invariants.violations(connection),
            items=connection.execute(sa.select(schema.item)).all(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Everything that is wrong, in words, by the promise that it breaks; and what is only counted."""

    wrong: dict[str, list[str]]
    acknowledged: int
    unknown: int
    recovered: int
    given_up: int

    @property
    def violations(self) -> int:
        """How many things are wrong."""
        return sum(map(len, self.wrong.values()))


def judge(
    found: Kept,
    history: Sequence[Operation],
    marks: Iterable[Mark],
    hook: Iterable[Received],
    items: Iterable[Mark] = (),
) -> Verdict:
    """Compares the five."""
    ids = {key: id_ for id_, key in found.keys.items()}
    known = [one if one.task or one.key is None else replace(one, task=ids.get(one.key)) for one in history]
    ended = [row.id for row in found.tasks if row.status in TERMINAL]
    queue = total_queue(
        (one for one in history if one.f == "submit"), ((key, id_) for id_, key in found.keys.items()), ended
    )
    wrong = {
        "lost": sorted(queue.lost | queue.stuck),
        "unexpected": sorted(queue.unexpected),
        "duplicated": sorted(queue.duplicated),
        "recorded twice": list(recorded_twice(found)),
        "steps twice": repeated_steps(marks, found.recorded),
        "items twice": repeated_steps(items, soak_kin.recorded_items(found.items)),
        "families": list(soak_kin.strange_families(found.tasks, found.results)),
        "limits": list(soak_kin.exceeded(found.tasks, found.events)),
        "ticks": list(soak_kin.strange_ticks(found.tasks)),
        "register": unexplained(
            [*known, *silent_claims(found, known), *soak_kin.silent_births(found.tasks), *last_reads(found)]
        ),
        "results": list(strange_results(found)),
        "deliveries": list(strange_deliveries(found, list(hook))),
        "invariants": found.broken,
    }
    return Verdict(
        wrong=wrong,
        acknowledged=len(queue.acknowledged),
        unknown=len(unknown_keys(history)),
        recovered=len(queue.recovered),
        given_up=sum(row.error_code == "worker_lost" for row in found.tasks),
    )


def unknown_keys(history: Iterable[Operation]) -> set[str]:
    """Submissions of which at least one try had no answer that says something."""
    return {str(one.key) for one in history if one.f == "submit" and one.phase is Phase.INFO}


def silent_claims(found: Kept, known: Iterable[Operation]) -> Iterator[Operation]:
    """Attempts whose handler never noted a start: their process died before, or they need none."""
    seen = {(one.task, one.attempt) for one in known if one.f == "claim"}
    for row in found.attempts:
        if (row.task_id, row.attempt) not in seen:
            yield Operation(
                proc="database", f="claim", phase=Phase.INFO, task=row.task_id, attempt=row.attempt
            )


def last_reads(found: Kept) -> Iterator[Operation]:
    """How each task stands in the end."""
    after = float(2**62)
    for row in found.tasks:
        seen = {"task": row.id, "attempt": row.attempt, "status": row.status}
        yield Operation(proc="database", f="read", begin=after, end=after + 1, **seen)


def recorded_twice(found: Kept) -> Iterator[str]:
    """Tasks that ended more than once, and steps of which more than one value was recorded."""
    for id_, ends in found.ends().items():
        if len(ends) > 1:
            yield f"{id_}: ended {len(ends)} times: {ends}"
    steps = Counter((id_, mark["n"]) for id_, mark in found.marks())
    yield from (
        f"{id_}: step {n} was recorded {times} times" for (id_, n), times in steps.items() if times > 1
    )


def strange_results(found: Kept) -> Iterator[str]:
    """Results of another attempt than the one that ended the task, or made of other steps than recorded."""
    recorded, ends = found.recorded, found.ends()
    for id_, value in found.results.items():
        attempts = [end["attempt"] for end in ends.get(id_, []) if end["status"] == "completed"]
        if attempts != [value["attempt"]]:
            yield f"{id_}: the result is of attempt {value['attempt']}, the end of {attempts}"
        used = {(id_, step["n"]): step["attempt"] for step in value["steps"]}
        if any(recorded.get(place) != attempt for place, attempt in used.items()):
            yield f"{id_}: the result was made of the steps {used}, recorded are others"
    for row in found.tasks:
        if row.status == "failed" and row.error_code != "worker_lost":
            yield f"{row.id}: failed with {row.error_code}: {row.error}"


def strange_deliveries(found: Kept, hook: list[Received]) -> Iterator[str]:
    """Answers not delivered, changed between sends, or telling another end than the task's."""
    status = {row.id: row.status for row in found.tasks}
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for request in hook:
        bodies[request.headers["webhook-id"]].add(request.body)
    tasks = Counter(row.task_id for row in found.deliveries)
    yield from (f"{id_}: {count} deliveries" for id_, count in tasks.items() if count > 1)
    yield from (f"{id_}: an unknown delivery" for id_ in bodies.keys() - {row.id for row in found.deliveries})
    for row in found.deliveries:
        told = [json.loads(body)["data"] for body in bodies[row.id]]
        if row.status != "delivered" or not told:
            yield f"{row.task_id}: delivery {row.id} is {row.status}, received {len(told)}: {row.last_error}"
        elif len(told) > 1:
            yield f"{row.task_id}: delivery {row.id} came with {len(told)} bodies"
        elif (told[0]["id"], told[0]["status"]) != (row.task_id, status.get(row.task_id)):
            yield f"{row.task_id}: delivery {row.id} tells {told[0]['id']} {told[0]['status']}"
