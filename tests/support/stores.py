"""A real store under a clock that is moved by hand; each verb a short sentence with defaults to override."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import uuid_utils

from duly.execute.conclusion import wait_kind
from duly.model.events import EventType
from duly.model.state import Status
from duly.model.task import Claimed, Step, Submission, Target, Task
from duly.store import claims, journal, lists, schema, sessions, signals, submissions, waits
from duly.store.database import Database
from duly.store.express import FORMS
from duly.store.quick import Quick
from duly.store.transaction import Moment, given, script
from duly.testing import FakeClock

ENDINGS = {
    Status.COMPLETED: {"event": EventType.COMPLETED, "result": '"done"'},
    Status.FAILED: {"event": EventType.FAILED, "error_code": "broken", "error": "it broke"},
    Status.CANCELLED: {"event": EventType.CANCELLED},
    Status.RETRY: {"event": EventType.RETRY, "delay_ms": 2_000, "charge": 1, "error_code": "not_yet"},
    Status.WAITING: {"event": EventType.WAITING, "delay_ms": 60_000, "wait_kind": "snooze"},
    Status.PENDING: {"event": EventType.HANDED_BACK, "reason": "the worker stops"},
}


def new_id() -> str:
    """A fresh UUIDv7."""
    return str(uuid_utils.uuid7())


def submission(**overrides: Any) -> Submission:
    """A valid submission."""
    return Submission.of(
        **{"id": new_id(), "task_type": "demo", "input": "{}", "body_hash": "h", **overrides}
    )


def ending(claimed: Claimed, target: Status = Status.COMPLETED, **overrides: Any) -> claims.Finish:
    """How the attempt ended."""
    values = {"outcome": target.value, **ENDINGS[target], **overrides}
    return claims.Finish(id=claimed.id, attempt=claimed.attempt, target=target, **values)


def request(session: str = "w1", **overrides: Any) -> claims.ClaimRequest:
    """A worker's question; `free` and `types` make up one lane, `lanes` several."""
    lane = claims.Lane(types=overrides.pop("types", ("demo",)), free=overrides.pop("free", 1))
    return claims.ClaimRequest(session=session, **{"queues": ("default",), "lanes": (lane,), **overrides})


def step(
    claimed: Claimed, name: str = "facts", n: int = 1, value: str = '"v"', version: str | None = None
) -> journal.StepRecord:
    """A step that the attempt, of this version, wants remembered."""
    one = Step(name=name, n=n, digest="d", value=value, attempt=claimed.attempt, duration_ms=5)
    return journal.StepRecord(id=claimed.id, attempt=claimed.attempt, step=one, version=version)


def words(*versions: str, task_type: str = "demo") -> tuple[str, ...]:
    """What a worker has that knows the type, in these versions."""
    return (task_type, *(f"{task_type}@{version}" for version in versions))


def wait(
    claimed: Claimed, signal: str = "", n: int = 1, delay: int | None = None, version: str | None = None
) -> waits.WaitRecord:
    """A wait that the attempt has come to: for a signal, or a sleep; over after `delay` milliseconds."""
    name = signal or "nap"
    one = Step(name=name, n=n, digest="d", value="null", attempt=claimed.attempt, waits_for=signal)
    return waits.WaitRecord(id=claimed.id, attempt=claimed.attempt, step=one, delay_ms=delay, version=version)


def suspension(claimed: Claimed, *open_: Step) -> claims.Finish:
    """The attempt can go no further than these waits."""
    more: dict[str, Any] = {"delay_ms": None, "wait_kind": wait_kind(open_), "waits": open_}
    return ending(claimed, Status.WAITING, **more)


def lines(claimed: Claimed, *messages: str, **overrides: Any) -> journal.Lines:
    """Log lines of the attempt."""
    events = tuple((EventType.LOG, {"message": message}) for message in messages)
    return journal.Lines(id=claimed.id, attempt=claimed.attempt, events=events, **overrides)


class Store:
    """An open database. Verbs are called as a thread without a loop calls them."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database = database
        self.clock = clock

    def write(self, verb: Callable[..., Sequence[Any]], *items: Any) -> list[Any]:
        """One call of a verb with these items, committed."""
        return list(self.database.write_blocking(verb, items))

    def read(self, query: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a reader sees."""
        return self.database.read_blocking(query, *args, **kwargs)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of a query in plain SQL."""
        return self.read(lambda tx: [tuple(row) for row in tx.core.exec_driver_sql(query, parameters)])

    def submit(self, *deliver: Target, **overrides: Any) -> str:
        """An accepted task's id."""
        [accepted] = self.write(submissions.submit, submission(deliver=deliver, **overrides))
        return str(accepted.id)

    def session(self, id_: str = "w1", queues: tuple[str, ...] = ("default",)) -> str:
        """A living worker session; the same one if it is there."""
        self.write(sessions.start, sessions.Session(id=id_, host="host", pid=1, queues=queues))
        return id_

    def claim(self, session: str = "w1", **overrides: Any) -> list[Claimed]:
        """What one claim hands out."""
        [claimed] = self.write(claims.claim, request(self.session(session), **overrides))
        return list(claimed)

    def running(self, *deliver: Target, session: str = "w1", **overrides: Any) -> Claimed:
        """A task that runs; nothing else may be pending."""
        id_ = self.submit(*deliver, **overrides)
        [claimed] = self.claim(session)
        assert claimed.id == id_
        return claimed

    def finish(self, claimed: Claimed, target: Status = Status.COMPLETED, **overrides: Any) -> Status | None:
        """Records how the attempt ended; None means lease lost."""
        [status] = self.write(claims.finish, ending(claimed, target, **overrides))
        return status  # type: ignore[no-any-return]

    def ended(self, target: Status = Status.COMPLETED, *deliver: Target, **overrides: Any) -> str:
        """A task that ran and ended so; its id."""
        claimed = self.running(*deliver, **overrides)
        self.finish(claimed, target)
        return claimed.id

    def standing(self, status: Status, *deliver: Target) -> str:
        """A task in any state that the verbs can bring about."""
        if status is Status.SCHEDULED:
            return self.submit(*deliver, due_at=self.clock.now_ms() + 60_000)
        if status is Status.PENDING:
            return self.submit(*deliver)
        if status is Status.RUNNING:
            return self.running(*deliver).id
        return self.ended(status, *deliver)

    def wait(self, claimed: Claimed, signal: str = "", **more: Any) -> Step | None:
        """How a wait of the attempt stands; None means lease lost."""
        return self.write(waits.wait, wait(claimed, signal, **more))[0]  # type: ignore[no-any-return]

    def suspend(self, claimed: Claimed, *open_: Step | None) -> Status | None:
        """The attempt waits."""
        return self.write(claims.finish, suspension(claimed, *filter(None, open_)))[0]  # type: ignore[no-any-return]

    def waiting(self, signal: str = "", *, delay: int | None = None, **overrides: Any) -> str:
        """A task that waits for a signal or, without one, sleeps."""
        claimed = self.running(**overrides)
        assert self.suspend(claimed, self.wait(claimed, signal, delay=delay)) is Status.WAITING
        return claimed.id

    def signal(self, id_: str, name: str, data: str = "1", key: str | None = None) -> signals.Signalled:
        """Tells the task something."""
        said = signals.Signal(id_, name, key or new_id(), data)
        return self.write(signals.signal, said)[0]  # type: ignore[no-any-return]

    def cancel(self, id_: str) -> Status | None:
        """Asks for a cancel; the status from then on."""
        return self.write(submissions.cancel, id_)[0]  # type: ignore[no-any-return]

    def retry(self, id_: str) -> Status | None:
        """An operator's retry; the status before, if it has another run now or there was no need of one."""
        [before] = self.write(submissions.retry, id_)
        return None if before is None or before.kept_out else before.status  # type: ignore[no-any-return]

    def promote(self, limit: int = 100) -> int:
        """Lets the clock act; how many tasks moved."""
        return int(self.write(claims.promote, limit)[0])

    def rescue(self, *ended: str) -> int:
        """Ends these sessions and gives back what ended ones hold; how many tasks."""
        return int(self.write(claims.rescue, dict.fromkeys(ended))[0])

    def advance(self, seconds: float) -> None:
        """Moves the clock and lets it act."""
        self.clock.advance(seconds)
        while self.promote():
            pass

    def task(self, id_: str) -> Task:
        """The task as it stands."""
        task = self.read(lists.get, id_)
        assert task is not None
        return task  # type: ignore[no-any-return]

    def status(self, id_: str) -> Status:
        """Where it stands."""
        return self.task(id_).status

    def events(self, id_: str) -> list[str]:
        """Its timeline as words."""
        return [event.type for event in self.read(lists.events, id_)]

    def deliveries(self, id_: str) -> list[str]:
        """The states of its deliveries, oldest first."""
        return [row["status"] for row in self.read(lists.rows_of, "delivery", id_)]

    def column(self, id_: str, name: str) -> Any:
        """One column of its row."""
        query = sa.select(schema.task.c[name]).where(schema.task.c.id == id_)
        return self.read(lambda tx: tx.core.execute(query).scalar_one())


class QuickStore(Store):
    """One whose verbs take their quick form first, as a loop on PostgreSQL does."""

    def write(self, verb: Callable[..., Sequence[Any]], *items: Any) -> list[Any]:
        """One call of a verb with these items, committed."""
        answers = self._quickly(FORMS[verb], items) if verb in FORMS else None
        return super().write(verb, *items) if answers is None else list(answers)

    def _quickly(self, form: Quick, items: Sequence[Any]) -> Sequence[Any] | None:
        """None: the writer must do it, after an error too."""
        now = self.clock.now_ms()
        steps = form(Moment(now=now, terms=self.database.terms, heads=self.database.heads), items)
        with closing(self.database.driver.connect()) as connection:
            try:
                asked = next(steps)
                while True:
                    [statement] = script("postgres", asked.name)
                    rows = connection.execute(statement, given(asked.parameters, now)).fetchall()
                    asked = steps.send(rows)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            except self.database.driver.module.Error:
                return None


def opened_store(url: str, clock: FakeClock | None = None, *, listen_url: str | None = None) -> Store:
    """A store on a database whose schema is there."""
    clock = clock or FakeClock()
    database = Database(url, clock=clock, listen_url=listen_url)
    database.open()
    quick = database.driver.line() is not None
    return QuickStore(database, clock) if quick else Store(database, clock)


def sqlite_store(path: Path, clock: FakeClock | None = None) -> Store:
    """A store on the file `path`, whose schema is there."""
    return opened_store(f"sqlite:///{path}", clock)
