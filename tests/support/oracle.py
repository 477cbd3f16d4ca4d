"""What the store must answer, said a second time and as plainly as can be: a dictionary and a few rules."""

from __future__ import annotations

from dataclasses import dataclass, field

from duly.model.state import TERMINAL, Status
from duly.model.task import Step

MOST_LOSSES = 3


@dataclass(slots=True)
class Fate:
    """One task as the rules have it; times in milliseconds."""

    id: str
    status: Status
    rank: int
    due_at: int | None
    deadline_at: int | None
    limit_key: str | None = None
    attempt: int = 0
    retries: int = 0
    session: str | None = None
    stop: bool = False
    result: str | None = None
    losses: int = 0
    deaths: int = 0
    suspect: int = 0
    #: Signals of the one name: how many were kept and how many taken. Open waits for them: number to end.
    said: int = 0
    taken: int = 0
    open: dict[int, int | None] = field(default_factory=dict)
    waits_for_signal: bool = False
    #: What is remembered, and the version of the code that remembered the latest.
    steps: set[str] = field(default_factory=set)
    version: str | None = None
    #: How many deliveries there are for its ends, one of them for the next.
    owed: int = 1

    def step(self, name: str, version: str) -> None:
        """A step is recorded, by code of this version; only a new one is anybody's."""
        if name not in self.steps:
            self.steps.add(name)
            self.version = version

    def fits(self, versions: tuple[str, ...]) -> bool:
        """Whether a worker with these versions may run it."""
        return self.version in (None, *versions)

    def startable(self, now: int) -> bool:
        """Whether some claim may take it: one of suspects, or an ordinary one."""
        return self.status is Status.PENDING and (self.deadline_at is None or self.deadline_at > now)

    def eligible(self, now: int) -> bool:
        """Whether an ordinary claim may take it."""
        return self.startable(now) and not self.suspect

    def claim(self, session: str) -> None:
        self.status, self.session, self.due_at = Status.RUNNING, session, None
        self.attempt += 1

    def finish(self, attempt: int, target: Status, delay: int | None, now: int) -> Status | None:
        """What the store answers to this outcome; moves the task if it is accepted."""
        if attempt != self.attempt:
            return None
        if self.status is not Status.RUNNING:
            overruled = self.status in TERMINAL and target not in TERMINAL
            return self.status if overruled or self.status is target else None
        if self.stop and target not in TERMINAL:
            self._move(Status.CANCELLED)
        elif delay is not None and self.deadline_at is not None and now + delay >= self.deadline_at:
            self._move(Status.FAILED)
        else:
            self._move(target)
            self.due_at = None if delay is None else now + delay
            self.retries += target is Status.RETRY
        return self.status

    def signal(self) -> bool:
        """Whether it is kept; wakes the task if that waits for it."""
        if self.status in TERMINAL:
            return False
        self.said += 1
        if self.status is Status.WAITING and self.waits_for_signal and self.open:
            self._move(Status.PENDING)
        return True

    def wait(self, n: int, due_at: int | None, now: int) -> int | None:
        """What the wait of this number has taken, if it is over; its first end stands."""
        due_at = self.open.setdefault(n, due_at)
        if self.said > self.taken:
            self.taken += 1
            taken = self.taken
        elif due_at is not None and due_at <= now:
            taken = 0
        else:
            return None
        del self.open[n]
        return taken

    def suspend(self, attempt: int, signal: bool, due_at: int | None) -> Status | None:
        """What the store answers to this suspension, for a signal or a sleep."""
        if attempt != self.attempt:
            return None
        if self.status is not Status.RUNNING:
            return self.status if self.status in TERMINAL or self.status is Status.WAITING else None
        if self.stop:
            self._move(Status.CANCELLED)
        elif signal and self.said > self.taken:
            self._move(Status.PENDING)
            self.suspect = self.deaths = 0
        else:
            self._move(Status.WAITING)
            self.waits_for_signal = signal
            self.due_at = min((at for at in (due_at, self.deadline_at) if at is not None), default=None)
        return self.status

    def cancel(self) -> Status:
        if self.status is Status.RUNNING:
            self.stop = True
        elif self.status not in TERMINAL:
            self._move(Status.CANCELLED)
        return self.status

    def retry(self) -> Status:
        """An operator's; answers the status before."""
        before = self.status
        if before in (Status.FAILED, Status.CANCELLED):
            self._move(Status.PENDING)
            self.retries, self.stop, self.deadline_at = 0, False, None
            self.suspect, self.losses = int(self.losses > 0), 0
        return before

    def lose(self, held: int) -> None:
        """Its session has ended, with so many tasks running in it; 0: on purpose."""
        if self.stop:
            self._move(Status.CANCELLED)
            return
        alone = held == 1 and self.suspect > 0
        self.losses += alone
        self._move(Status.FAILED if alone and self.losses == MOST_LOSSES else Status.PENDING)
        if held and self.status is Status.PENDING:
            self.deaths += 1
            self.suspect = max(1, held // 8) if self.suspect or self.deaths > 1 else 0

    def tick(self, now: int) -> bool:
        """One move of the clock; whether there was one to make."""
        waits = self.status in (Status.SCHEDULED, Status.RETRY, Status.WAITING)
        late = self.deadline_at is not None and self.deadline_at <= now
        if self.status is Status.WAITING and late and self.due_at is not None:
            self._move(Status.FAILED)
        elif waits and self.due_at is not None and self.due_at <= now:
            self._move(Status.PENDING)
        elif self.status in (Status.PENDING, Status.BLOCKED) and late:
            self._move(Status.FAILED)
        else:
            return False
        return True

    def _move(self, status: Status) -> None:
        self.status, self.session, self.due_at, self.waits_for_signal = status, None, None, False
        if status is not Status.PENDING:
            self.suspect = self.deaths = 0

    @property
    def row(self) -> tuple[object, ...]:
        """(id, status, attempt, retry_count, due_at, deaths, suspect, loss_count, code_version)"""
        stands = self.status in (Status.PENDING, Status.BLOCKED)
        due_at = self.deadline_at if stands else self.due_at
        counted = (self.retries, due_at, self.deaths, self.suspect, self.losses, self.version)
        return (self.id, self.status, self.attempt, *counted)


def group(suspects: list[Fate], free: int) -> list[tuple[int, int]]:
    """(suspect, rank) of those that one claim takes together: none of them may find it too many."""
    taken: list[tuple[int, int]] = []
    for fate in sorted(suspects, key=lambda fate: (-fate.suspect, fate.rank))[:free]:
        if len(taken) < fate.suspect:
            taken.append((fate.suspect, fate.rank))
    return taken


@dataclass(slots=True)
class Ledger:
    """What handlers did, kept beside the database: which steps ran, and the values of those recorded."""

    ran: int = 0
    #: By task, name and number.
    values: dict[tuple[str, str, int], str] = field(default_factory=dict)
    #: Steps that an attempt ran although they were recorded.
    again: list[tuple[str, str, int]] = field(default_factory=list)

    def run(self, id_: str, name: str, n: int, *, late: bool) -> str:
        """A step runs, and no two of its values are the same; `late`: in an attempt that lost its task."""
        self.ran += 1
        if (id_, name, n) in self.values and not late:
            self.again.append((id_, name, n))
        return str(self.ran)

    def keep(self, id_: str, step: Step) -> None:
        """A step is recorded; its first value stands."""
        self.values.setdefault((id_, step.name, step.n), step.value)


@dataclass(slots=True)
class Keys:
    """Which task each key of an owner stands for, since when, and with which body; times in milliseconds."""

    kept_for: int
    standing: dict[tuple[str, str | None], tuple[str, int, str | None]] = field(default_factory=dict)

    def ask(self, owner: str, key: str | None, now: int) -> bool:
        """Whether it stands for a task; one that is too old is free from here on."""
        found = self.standing.get((owner, key))
        if found is not None and found[1] < now - self.kept_for:
            del self.standing[owner, key]
        return (owner, key) in self.standing


@dataclass(slots=True)
class Letter:
    """One delivery: who claims it sends it, and what was sent first is what is sent ever after."""

    task_id: str
    status: str = "held"
    attempt: int = 0
    body: str | None = None
    session: str | None = None

    @property
    def unsent(self) -> bool:
        """Whether it can still tell of an end that is to come."""
        return self.status == "held" or (self.status == "pending" and self.body is None)

    def claim(self, session: str) -> None:
        assert self.status == "pending"
        self.status, self.session = "sending", session
        self.attempt += 1

    def owned(self, attempt: int) -> bool:
        return self.status == "sending" and self.attempt == attempt

    def fix(self, attempt: int, body: str) -> str | None:
        """What the send of this number has to send, if it still may."""
        if not self.owned(attempt):
            return None
        self.body = self.body or body
        return self.body

    def settle(self, attempt: int, status: str) -> None:
        if self.owned(attempt):
            self.status, self.session = status, None

    def lose(self, *, ended: bool) -> None:
        """Its session has ended; `ended`: so has its task, and not begun again since."""
        self.status, self.session = "pending" if ended or self.body is not None else "dead", None
