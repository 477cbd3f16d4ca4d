"""What is true of every Duly database after every commit, as plain SQL and one walk along the timelines.

The numbers I1 to I10 are those of the test programme. `check` is called after every test of the store and the
flow, and after every step of the state machine.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from duly.model.state import TERMINAL, Status, allowed
from duly.store.database import Database

#: Each query finds offenders, so it must answer no row. Its first column names the task.
OFFENDERS = {
    "a running task has a session": """
        SELECT t.id, t.worker_id FROM task t LEFT JOIN worker w ON w.id = t.worker_id
        WHERE t.status = 'running' AND w.id IS NULL""",
    "a task has its input": """
        SELECT t.id FROM task t LEFT JOIN task_data d ON d.task_id = t.id AND d.kind = 'input' AND d.part = 0
        WHERE d.task_id IS NULL""",
    "a result is kept for completed tasks only (I3)": """
        SELECT t.id, t.status FROM task t JOIN task_data d ON d.task_id = t.id AND d.kind = 'result'
        WHERE t.status <> 'completed'""",
    "a completed task has its result (I1)": """
        SELECT t.id FROM task t LEFT JOIN task_data d ON d.task_id = t.id AND d.kind = 'result' AND d.part = 0
        WHERE t.status = 'completed' AND d.task_id IS NULL""",
    "one idempotency key of one owner is one task (I7)": """
        SELECT min(id), idempotency_key, count(*) FROM task WHERE idempotency_key IS NOT NULL
        GROUP BY tenant, owner, idempotency_key HAVING count(*) > 1""",
    "a delivery belongs to a task": """
        SELECT d.id, d.task_id FROM delivery d LEFT JOIN task t ON t.id = d.task_id WHERE t.id IS NULL""",
    "nothing is left of a task that is gone": """
        SELECT p.task_id, p.of FROM (SELECT task_id, 'event' AS of FROM event WHERE seq = 1
          UNION ALL SELECT task_id, 'data' FROM task_data UNION ALL SELECT task_id, 'tag' FROM task_tag
          UNION ALL SELECT task_id, 'attempt' FROM attempt UNION ALL SELECT task_id, 'step' FROM step
          UNION ALL SELECT task_id, 'partial' FROM partial) p
        LEFT JOIN task t ON t.id = p.task_id WHERE t.id IS NULL""",
    "an ended task says until when it is kept, and no other": """
        SELECT id, status, expires_at FROM task WHERE (expires_at IS NULL) = (completed_at IS NOT NULL)""",
    "a notification belongs to a delivery of its task": """
        SELECT n.task_id, n.delivery_id FROM notification n
        LEFT JOIN delivery d ON d.id = n.delivery_id AND d.task_id = n.task_id WHERE d.id IS NULL""",
    "deliveries are held only while the task has not ended": """
        SELECT t.id, d.id FROM task t JOIN delivery d ON d.task_id = t.id
        WHERE d.status = 'held' AND t.status IN ('completed', 'failed', 'cancelled')""",
    "an answer is not owed before the task has ended": """
        SELECT t.id, d.id FROM task t JOIN delivery d ON d.task_id = t.id
        WHERE d.status = 'pending' AND d.body IS NULL
          AND t.status NOT IN ('completed', 'failed', 'cancelled')""",
    "the task's number is its last event's, and there is no gap (I8)": """
        SELECT t.id, t.seq, count(e.seq), min(e.seq), max(e.seq) FROM task t
        LEFT JOIN event e ON e.task_id = t.id GROUP BY t.id, t.seq
        HAVING min(e.seq) <> 1 OR max(e.seq) <> t.seq OR (count(e.seq) <> t.seq
          AND sum(CASE WHEN e.type = 'compacted' THEN 1 ELSE 0 END) <> 1)""",
    "event times never run backwards (I8)": """
        SELECT task_id, seq FROM (
          SELECT task_id, seq, at, lag(at) OVER (PARTITION BY task_id ORDER BY seq) AS earlier FROM event) e
        WHERE at < earlier""",
    "a running task has the row of its attempt (I6)": """
        SELECT t.id, t.attempt FROM task t LEFT JOIN attempt a ON a.task_id = t.id AND a.attempt = t.attempt
        WHERE t.status = 'running' AND a.attempt IS NULL""",
    "only the attempt that runs is open (I4)": """
        SELECT t.id, a.attempt FROM task t JOIN attempt a ON a.task_id = t.id
        WHERE (a.ended_at IS NULL) <> (t.status = 'running' AND a.attempt = t.attempt)""",
    "the attempt that runs belongs to the task's session (I3)": """
        SELECT t.id, a.worker_id, t.worker_id FROM task t
        JOIN attempt a ON a.task_id = t.id AND a.attempt = t.attempt
        WHERE t.status = 'running' AND a.worker_id <> t.worker_id""",
    "charged retries stay within the budget (I6)": """
        SELECT id, retry_count, max_retries FROM task WHERE retry_count > max_retries OR retry_count < 0""",
    "losses are counted up to three, and the third ends the task": """
        SELECT id, status, error_code, loss_count FROM task
        WHERE loss_count NOT BETWEEN 0 AND 3 OR (loss_count = 3) <> (coalesce(error_code, '') = 'worker_lost')
          OR (loss_count = 3 AND status <> 'failed')""",
    "a loss is an attempt that was lost": """
        SELECT t.id, t.loss_count FROM task t WHERE t.loss_count > (SELECT count(*) FROM attempt a
          WHERE a.task_id = t.id AND a.outcome = 'lost')""",
    "a suspect has lost an attempt": """
        SELECT t.id, t.suspect FROM task t WHERE t.suspect > 0 AND NOT EXISTS (SELECT 1 FROM attempt a
          WHERE a.task_id = t.id AND a.outcome = 'lost')""",
    "two deaths in a row make a suspect, and else only an operator's retry": """
        SELECT t.id, t.deaths, t.suspect FROM task t WHERE t.status IN ('pending', 'running')
          AND (t.suspect > 0) <> (t.deaths > 1) AND (t.suspect = 0 OR NOT EXISTS (SELECT 1 FROM event e
            WHERE e.task_id = t.id AND e.type = 'retried'))""",
    "deaths in a row are attempts that were lost, and none between them ended by itself": """
        SELECT t.id, t.deaths FROM task t WHERE t.deaths < 0 OR t.deaths > (SELECT count(*) FROM attempt a
          WHERE a.task_id = t.id AND a.outcome = 'lost' AND a.attempt > (
            SELECT coalesce(max(b.attempt), 0) FROM attempt b
            WHERE b.task_id = t.id AND b.outcome NOT IN ('lost', 'handed_back', 'pending')))""",
    "a session that has ended says how many tasks it held": """
        SELECT id, ended_at FROM worker WHERE ended_at IS NOT NULL AND held IS NULL""",
    "a unique key is free once its task has ended": """
        SELECT id, unique_key FROM task
        WHERE unique_key IS NOT NULL AND status IN ('completed', 'failed', 'cancelled')""",
    "only a running or ended task was asked to stop (I10)": """
        SELECT id, status FROM task WHERE cancel_requested_at IS NOT NULL
          AND status NOT IN ('running', 'completed', 'failed', 'cancelled')""",
    "only a waiting task says what it waits for": """
        SELECT id, status FROM task WHERE wait_kind IS NOT NULL AND status <> 'waiting'""",
    "what is blocked says by which limit, and nothing else does": """
        SELECT id, status, blocked_on FROM task WHERE (status = 'blocked') <> (blocked_on IS NOT NULL)""",
    "a limit that somebody waits for is there": """
        SELECT t.id, t.blocked_on FROM task t LEFT JOIN limits l ON l.name = t.blocked_on
        WHERE t.status = 'blocked' AND l.name IS NULL""",
    "streamed output is kept for the attempt that runs only": """
        SELECT p.task_id, p.attempt FROM partial p JOIN task t ON t.id = p.task_id
        WHERE t.status <> 'running' OR p.attempt <> t.attempt""",
    "a remembered step has a value": """
        SELECT s.task_id, s.name, s.n FROM step s LEFT JOIN task_data d ON d.task_id = s.task_id
          AND d.kind LIKE 'step/%' AND d.part = 0 WHERE d.task_id IS NULL AND s.waits_for IS NULL""",
    "a step is told of once (I8)": """
        SELECT t.id FROM task t
        WHERE (SELECT count(*) FROM step s WHERE s.task_id = t.id AND s.waits_for IS NULL)
           <> (SELECT count(*) FROM event e WHERE e.task_id = t.id AND e.type = 'step')""",
}

#: A server that has not counted a table yet may choose nested loops over all of it, and end them as too slow.
PATIENCE = {
    "postgresql": ("SET statement_timeout = 0", "SET enable_nestloop = off"),
    "mysql": ("SET SESSION max_statement_time = 0",),
}

TIMELINES = """
    SELECT e.task_id, t.status, t.attempt, e.type, e.data, coalesce(a.made, 0)
    FROM event e JOIN task t ON t.id = e.task_id
    LEFT JOIN (SELECT task_id, count(*) AS made FROM attempt GROUP BY task_id) a ON a.task_id = t.id
    ORDER BY e.task_id, e.seq"""

#: What a task is after an event; events that are not here leave the state as it is.
AFTER = {
    "due": Status.PENDING,
    "blocked": Status.BLOCKED,
    "unblocked": Status.PENDING,
    "woken": Status.PENDING,
    "started": Status.RUNNING,
    "lost": Status.PENDING,
    "handed_back": Status.PENDING,
    "retry": Status.RETRY,
    "waiting": Status.WAITING,
    "completed": Status.COMPLETED,
    "failed": Status.FAILED,
    "cancelled": Status.CANCELLED,
    "retried": Status.PENDING,
}
#: Lines that only a running attempt writes.
ATTEMPTS_OWN = frozenset({"step", "progress", "log", "usage", "completed", "retry", "waiting", "handed_back"})


@dataclass(slots=True)
class Walk:
    """One task's timeline, told from its first line; `complaints` is what does not fit."""

    task: str
    status: Status | None = None
    attempt: int = 0
    stop_asked: bool = False
    #: Rounds that ended in a wait: they leave no attempt row.
    waits: int = 0
    #: Whether a marker still comes, for lines that are gone: until then only the state is followed.
    compacted: bool = False
    complaints: list[str] = field(default_factory=list)

    def step(self, type_: str, data: dict[str, Any]) -> None:
        """Takes one line."""
        if data.get("attempt", self.attempt) != self.attempt and type_ != "started":
            self._complain(f"{type_} of attempt {data['attempt']} while {self.attempt} is current (I3)")
        if type_ in ATTEMPTS_OWN and self.status is not Status.RUNNING:
            self._complain(f"{type_} in state {self.status}: only a running attempt writes it (I3)")
        if self.status in TERMINAL and type_ != "retried":
            self._complain(f"{type_} after the end (I2)")
        self._move(type_, data)

    def _move(self, type_: str, data: dict[str, Any]) -> None:
        before = self.status
        if type_ in ("started", "blocked") and before is Status.WAITING:
            before = Status.PENDING  # its time came: of that the suspension's line has told
        self.waits += type_ == "waiting" or (type_ == "woken" and before is Status.RUNNING)
        if type_ == "accepted":
            self.status = Status(data["status"])
        elif type_ == "compacted":
            self.status, self.attempt, self.compacted = Status.PENDING, data["attempt"], False
            self.waits += data["rounds"]
        elif type_ in AFTER:
            self.status = AFTER[type_]
            if before is None or not allowed(before, self.status):
                self._complain(f"{type_}: {before} to {self.status} is not in the table (I2)")
        if type_ == "started":
            self._start(data["attempt"])
        elif type_ == "cancel_requested":
            if self.stop_asked or self.status is not Status.RUNNING:
                self._complain("asked to stop twice, or while nothing ran (I10)")
            self.stop_asked = True
        elif type_ == "retried":
            self.stop_asked = False

    def _start(self, attempt: int) -> None:
        if attempt != self.attempt + 1:
            self._complain(f"attempt {attempt} follows {self.attempt} (I4)")
        if self.stop_asked:
            self._complain("started after a cancel was accepted (I10)")
        self.attempt = attempt

    def end(self, status: str, attempt: int, attempts: int) -> None:
        """The last line is told: the rows must say the same."""
        if attempts + self.waits != attempt:
            self._complain(f"{attempts} attempt rows and {self.waits} waits are not {attempt} claims (I6)")
        if self.status is Status.WAITING and status == "pending":
            self.status = Status.PENDING  # as above
        if (self.status, self.attempt) != (status, attempt):
            told = f"{self.status}, {self.attempt}"
            self._complain(f"the row says {status}, {attempt}; the timeline {told} (I2)")

    def _complain(self, text: str) -> None:
        if not self.compacted:
            self.complaints.append(f"{self.task}: {text}")


def offenders(connection: sa.Connection) -> Iterator[str]:
    """What the queries find."""
    for promise, query in OFFENDERS.items():
        for row in connection.execute(sa.text(query)).all():
            yield f"not so: {promise}: {tuple(row)}"


def walks(connection: sa.Connection) -> Iterator[str]:
    """What the timelines tell that cannot be."""
    rows = connection.execute(sa.text(TIMELINES)).all()
    for task, lines in groupby(rows, key=lambda row: row[0]):
        yield from _walk(task, list(lines))


def _walk(task: str, lines: list[Any]) -> Iterable[str]:
    walk = Walk(task, compacted=any(line[3] == "compacted" for line in lines))
    for line in lines:
        walk.step(line[3], json.loads(line[4]))
    walk.end(lines[-1][1], lines[-1][2], lines[-1][5])
    return walk.complaints


def miscounts(connection: sa.Connection) -> Iterator[str]:
    """Limits that are not taken by exactly the running tasks that hold them."""
    running = sa.text("SELECT holds FROM task WHERE status = 'running' AND holds IS NOT NULL")
    held = Counter(name for (text,) in connection.execute(running) for name in json.loads(text))
    rows = connection.execute(sa.text("SELECT name, taken FROM limits"))
    for name, taken in rows:
        if taken != held.pop(name, 0):
            yield f"not so: running tasks hold what is taken of a limit: {name}, {taken}"
    yield from (f"not so: what is held has a row: {name}" for name in held)


def violations(connection: sa.Connection) -> list[str]:
    """Everything that is wrong, in words."""
    for statement in PATIENCE.get(connection.dialect.name, ()):
        connection.exec_driver_sql(statement)
    return [*offenders(connection), *walks(connection), *miscounts(connection)]


def check(database: Database) -> None:
    """Fails with all that is wrong in `database`, which may be open or closed."""
    check_by(database.engine(read_only=True))


def check_by(engine: sa.Engine) -> None:
    """The same, with a connection of this engine."""
    with engine.connect() as connection:
        found = violations(connection)
    assert not found, "\n".join(found)


def check_folder(folder: Path) -> None:
    """Checks each Duly database that a test left in `folder`."""
    for path in sorted(folder.rglob("*.db")):
        database = Database(f"sqlite:///{path}")
        with database.engine(read_only=True).connect() as connection:
            ours = sa.inspect(connection).has_table("task")
        if ours:
            check(database)
