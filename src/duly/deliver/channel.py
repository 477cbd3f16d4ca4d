"""What the outbox asks of a way to send, and what that answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from duly.model.delivery import Outcome
from duly.model.task import Task
from duly.store.deliveries import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How one send ended. Not `ok` is tried again by schedule, unless it is `final`.

    `code` is the receiver's status, `retry_after` the seconds it asked for; `recorded` means that the
    channel has settled the delivery itself, in the transaction that also did the work. `kind` says more
    exactly what became of it; `endpoint` whose health that tells of.
    """

    ok: bool
    code: int | None = None
    error: str | None = None
    final: bool = False
    retry_after: float | None = None
    recorded: bool = False
    kind: Outcome | None = None
    endpoint: str | None = None

    @property
    def outcome(self) -> Outcome:
        """The word for it."""
        if self.ok:
            return Outcome.SENT
        return self.kind or (Outcome.REJECTED if self.final else Outcome.RETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a way to send can do; the outbox does not ask for more.

    `max_body`: bytes of a body that it takes. `updates`: whether what was sent can be replaced later.
    `reply_window`: seconds after the task was accepted in which it takes an answer; None: always.
    """

    max_body: int | None = None
    updates: bool = False
    reply_window: float | None = None


class Channel(Protocol):
    """One way to reach a user. The body is rendered once; all sends of a delivery have the same bytes."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def render(self, task: Task) -> str:
        """The body that tells of this ended task."""
        ...

    async def send(self, delivery: Delivery, body: str, task: Task) -> Reply:
        """Sends the body once. An exception counts as a failed send."""
        ...
