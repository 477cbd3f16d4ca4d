"""External jobs: the words between the attempt that tracks one and the store, and what `submit` receives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from duly.model.errors import InvalidInput
from duly.model.task import Step

#: What the signals of jobs are called; no signal from outside can have such a name, for it holds slashes.
PREFIX = "job/"
NAME_LIMIT = 50
EXTERNAL_ID_LIMIT = 500
ANSWER_LIMIT = 1_048_576


def signal_name(name: str, n: int) -> str:
    """The signal with which the callback of this job comes in."""
    return f"{PREFIX}{name}/{n}"


def is_job(waits_for: str | None) -> bool:
    """Whether a wait is one for an external job."""
    return (waits_for or "").startswith(PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What `submit` is given. Pass `key` to a vendor that deduplicates: it is the same in every attempt."""

    task_id: str
    name: str
    key: str
    callback: str | None = field(default=None, repr=False)

    @property
    def callback_url(self) -> str:
        """Where the vendor may POST the job's state as JSON; its last part is a secret.

        Raises:
            InvalidInput: the setting `public_url` does not say under which address the API is reached.
        """
        if self.callback is None:
            raise InvalidInput(
                "set public_url (DULY_PUBLIC_URL) to the address under which vendors reach this API",
                code="public_url_missing",
            )
        return self.callback


class Opened(NamedTuple):
    """The job is about to be submitted; its callback's secret has this SHA-256."""

    secret_hash: str


class Submitted(NamedTuple):
    """It was: `step` remembers the id. The first poll comes after `delay_ms`; the wait ends at `due_at` or
    after `timeout_ms`, if at all."""

    step: Step
    external_id: str
    delay_ms: int
    due_at: int | None
    timeout_ms: int | None


class Polled(NamedTuple):
    """Poll number `number` brought nothing final, or failed with this error; the next is due later."""

    number: int
    delay_ms: int
    error: str | None = None


class Answered(NamedTuple):
    """A poll brought the final answer (JSON text)."""

    value: str


class Heard(NamedTuple):
    """Whether what a callback said, signal number `n`, is final."""

    n: int
    final: bool


Word = Opened | Submitted | Polled | Answered | Heard


class JobState(NamedTuple):
    """How a job stands: `step` is its wait, due at the next poll, with the answer once it is over.

    `callback`: the number and the data of the oldest callback that nobody has judged yet.
    """

    step: Step
    now: int
    public_url: str = ""
    external_id: str = ""
    polls: int = 0
    failures: int = 0
    callback: tuple[int, str] | None = None
