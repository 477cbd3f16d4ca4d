"""What the store must answer, said a second time and as plainly as can be: a dictionary and a few rules."""

from __future__ import annotations

from dataclasses import dataclass

from duly.model.state import TERMINAL, Status


@dataclass(slots=True)
class Fate:
    """One task as the rules have it; times in milliseconds."""

    id: str
    status: Status
    rank: int
    due_at: int | None
    deadline_at: int | None
    attempt: int = 0
    retries: int = 0
    session: str | None = None
    stop: bool = False
    result: str | None = None

    def eligible(self, now: int) -> bool:
        """Whether a claim may take it."""
        return self.status is Status.PENDING and (self.deadline_at is None or self.deadline_at > now)

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
        return before

    def lose(self) -> None:
        """Its session has ended."""
        if self.status is Status.RUNNING:
            self._move(Status.CANCELLED if self.stop else Status.PENDING)

    def tick(self, now: int) -> bool:
        """One move of the clock; whether there was one to make."""
        waits = self.status in (Status.SCHEDULED, Status.RETRY, Status.WAITING)
        if waits and self.due_at is not None and self.due_at <= now:
            self._move(Status.PENDING)
        elif self.status is Status.PENDING and not self.eligible(now):
            self._move(Status.FAILED)
        else:
            return False
        return True

    def _move(self, status: Status) -> None:
        self.status, self.session, self.due_at = status, None, None
