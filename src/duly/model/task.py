"""The facts about tasks that travel between the stages; frozen, and checked when they are made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from duly.model.errors import InvalidInput
from duly.model.state import Status

MINUTE_MS = 60_000
DAY_MS = 86_400_000
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:\-]*")
_UNKEPT = re.compile("[\x00-\x1f\ud800-\udfff]")
_WEB_ADDRESS = re.compile(r"https?://[^/?#\s@]+([/?#]|$)")
CHANNELS = ("webhook", "inbox", "endpoint")
#: A target that stands for several, of which the first that takes the answer is enough.
FIRST_OF = "first_of"
#: How many targets a chain has at most.
CHAIN_MOST = 10


def check_name(value: str, what: str, limit: int = 64) -> str:
    """A name of letters, digits, `_ . : -`, at most `limit` long; it goes into columns and URLs."""
    if not isinstance(value, str) or len(value) > limit or not _NAME.fullmatch(value):
        raise InvalidInput(f"{what} must be 1..{limit} letters, digits, '_', '.', ':' or '-', not {value!r}")
    return value


def code_word(task_type: str, version: str | None) -> str:
    """What a worker must have to run a task: its type in any version, or in the one that it belongs to."""
    return task_type if version is None else f"{task_type}@{version}"


def check_text(value: str, what: str, limit: int) -> str:
    """Any text without control characters, at most `limit` characters."""
    if not isinstance(value, str) or len(value) > limit:
        raise InvalidInput(f"{what} must be text of at most {limit} characters")
    if _UNKEPT.search(value):
        raise InvalidInput(f"{what} holds a control character or a lone surrogate")
    if value != value.strip(" "):  # MariaDB takes 'ann ' and 'ann' for the same key
        raise InvalidInput(f"{what} must not begin or end with a space")
    return value


def check_ttl(milliseconds: int) -> int:
    """How long an ended task is kept: who waits for it asks again within a minute, so that is the least."""
    if not MINUTE_MS <= milliseconds <= 36_600 * DAY_MS:
        raise InvalidInput("result_ttl must be 60 seconds to 100 years; leave it out for the default")
    return milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an answer goes: the task carries it, its delivery commits with the result.

    A `webhook` has a `url`, an `endpoint` its `id`. In a chain (`first_of`) the next target is taken when one
    refuses, is gone, is no longer valid (`valid_until`, milliseconds UTC) or has had its `tries`.
    """

    channel: str
    url: str = ""
    id: str = ""
    valid_until: int | None = None
    tries: int | None = None
    first_of: tuple[Target, ...] = ()

    def __post_init__(self) -> None:
        if self.channel == FIRST_OF:
            self._check_chain()
            return
        if self.channel not in CHANNELS:
            raise InvalidInput(f"deliver: unknown channel {self.channel!r}; there are {', '.join(CHANNELS)}")
        if self.channel == "webhook":
            check_web_address(self.url, "deliver: a webhook")
        if self.channel == "endpoint" and not check_text(self.id, "deliver: the endpoint's id", 36):
            raise InvalidInput("deliver: an endpoint needs its id")
        if self.tries is not None and not 1 <= self.tries <= 100:
            raise InvalidInput("deliver: tries must be 1..100")

    def _check_chain(self) -> None:
        if not 1 <= len(self.first_of) <= CHAIN_MOST:
            raise InvalidInput(f"deliver: first_of takes 1 to {CHAIN_MOST} targets")
        if any(one.channel == FIRST_OF for one in self.first_of):
            raise InvalidInput("deliver: a chain cannot hold a chain")

    @property
    def places(self) -> tuple[Target, ...]:
        """The targets to be tried one after the other; mostly it is one."""
        return self.first_of or (self,)

    @property
    def stored(self) -> dict[str, Any]:
        """The delivery's `target`."""
        place = {"id": self.id} if self.channel == "endpoint" else {"url": self.url}
        terms = {"valid_until": self.valid_until, "tries": self.tries}
        return {**place, **{name: value for name, value in terms.items() if value is not None}}

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Target:
        """From what `dataclasses.asdict` made of one."""
        return cls(**{**fields, "first_of": tuple(cls.of(one) for one in fields.get("first_of", ()))})


def check_web_address(url: str, what: str) -> str:
    """An http(s) URL with a host and without a user name, at most 2000 characters."""
    check_text(url, f"{what}'s url", 2000)
    if not _WEB_ADDRESS.match(url):
        raise InvalidInput(f"{what} needs an http:// or https:// url without a user name")
    return url


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """All that a request to do work says besides its input, already valid for its task type.

    Times are milliseconds UTC; `priority` is 1..10, the larger the sooner; `unique` lets one living
    task with this key exist per tenant and type; `result_ttl_ms` None: it is kept as long as others.
    Requests that say the same may share one, which is checked once and written once for all of them.
    """

    task_type: str
    body_hash: str = ""
    queue: str = "default"
    tenant: str = ""
    owner: str = ""
    priority: int = 5
    due_at: int | None = None
    deadline_at: int | None = None
    timeout_ms: int = 600_000
    result_ttl_ms: int | None = None
    max_retries: int = 3
    idempotency_key: str | None = None
    unique: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    deliver: tuple[Target, ...] = ()
    #: The limit that its input puts it under (`model.limit`).
    limit_key: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.priority, bool) or not 1 <= self.priority <= 10:
            raise InvalidInput(f"priority must be 1..10, not {self.priority}")
        if isinstance(self.max_retries, bool) or not 0 <= self.max_retries <= 100:
            raise InvalidInput(f"max_retries must be 0..100, not {self.max_retries}")
        if not 1 <= self.timeout_ms <= 366 * DAY_MS:
            raise InvalidInput("timeout must be more than 0 seconds and at most a year")
        if self.result_ttl_ms is not None:
            check_ttl(self.result_ttl_ms)
        check_name(self.task_type, "task_type", 100)
        check_name(self.queue, "queue")
        check_text(self.tenant, "tenant", 64)
        check_text(self.owner, "owner", 64)
        self._check_keys()

    def _check_keys(self) -> None:
        for what, key in (("idempotency_key", self.idempotency_key), ("unique", self.unique)):
            if key is not None and not check_text(key, what, 200):
                raise InvalidInput(f"{what} must not be empty")
        if len(self.tags) > 20 or len(self.deliver) > 20:
            raise InvalidInput("a task takes at most 20 tags and 20 deliveries")
        for tag in self.tags:
            check_text(tag, "a tag", 64)

    def due_later(self, now: int) -> bool:
        """Whether it is accepted for later."""
        return self.due_at is not None and self.due_at > now

    def accepted(self, id_: str, at: int) -> Task:
        """The task of that id that such a request became at that moment."""
        later = self.due_later(at)
        return Task(
            id=id_,
            task_type=self.task_type,
            queue=self.queue,
            tenant=self.tenant,
            owner=self.owner,
            rank=self.rank,
            max_retries=self.max_retries,
            timeout_ms=self.timeout_ms,
            result_ttl_ms=self.result_ttl_ms,
            deadline_at=self.deadline_at,
            status=Status.SCHEDULED if later else Status.PENDING,
            due_at=self.due_at if later else self.deadline_at,
            limit_key=self.limit_key,
            metadata=self.metadata,
            tags=tuple(sorted(set(self.tags))),
            created_at=at,
        )

    @property
    def rank(self) -> int:
        """The claim order's first word: smaller is sooner."""
        return 11 - self.priority

    @property
    def unique_key(self) -> str | None:
        """The unique column's value: one key means another thing for another tenant or type.

        A type holds no slash and the tenant's length comes first, so no two keys are written alike.
        """
        scope = f"{self.task_type}/{len(self.tenant)}/{self.tenant}"
        return None if self.unique is None else f"{scope}/{self.unique}"


class Submission(NamedTuple):
    """One request to do work; `input` is JSON text, `members` how many tasks of a batch will wait in which
    queue."""

    id: str
    input: str
    conditions: Conditions
    members: Mapping[str, int] | None = None

    @classmethod
    def of(cls, *, id: str, input: str, **conditions: Any) -> Submission:  # noqa: A002 - the fields' names
        """A request of its own conditions."""
        return cls(id, input, Conditions(**conditions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task as it stands in the store. Times are milliseconds UTC; result and metadata are JSON values."""

    id: str
    task_type: str
    status: Status
    queue: str
    tenant: str
    owner: str
    rank: int
    attempt: int = 0
    retry_count: int = 0
    max_retries: int
    exhausted: bool = False
    loss_count: int = 0
    suspect: int = 0
    timeout_ms: int
    #: How long it is kept once it has ended; None: as long as the installation says then.
    result_ttl_ms: int | None = None
    due_at: int | None = None
    deadline_at: int | None = None
    worker_id: str | None = None
    wait_kind: str | None = None
    limit_key: str | None = None
    blocked_on: str | None = None
    code_version: str | None = None
    cancel_requested_at: int | None = None
    parent_id: str | None = None
    progress: float | None = None
    progress_message: str | None = None
    error_code: str | None = None
    error: str | None = None
    metadata: Mapping[str, Any]
    seq: int = 1
    created_at: int
    started_at: int | None = None
    completed_at: int | None = None
    expires_at: int | None = None
    tags: tuple[str, ...] = ()
    result: Any = None
    deduplicated: bool = False
    #: Of a batch that was looked up: how many members there are, and how many stand in each status.
    batch: Mapping[str, int] | None = None

    @property
    def priority(self) -> int:
        """1..10, the larger the sooner."""
        return 11 - self.rank


class Claimed(NamedTuple):
    """One attempt handed to this worker: (id, attempt) is the fence of all its writes.

    `suspect`: how many may share its process, since two died under it; 0: it is no suspect.
    """

    id: str
    attempt: int
    task_type: str
    queue: str
    tenant: str
    owner: str
    timeout_ms: int
    deadline_at: int | None
    retry_count: int
    max_retries: int
    metadata: Mapping[str, Any]
    parent_id: str | None = None
    suspect: int = 0
    input: str = "{}"
    #: Whether it holds room in a limit.
    limited: bool = False


#: The first letter of a digest whose step followed a failure: a later round may do without it.
SHAKEN = "~"
#: The same once the gather that it followed is asked anew: a later round may do it otherwise, too.
EARLIER = "-"


class Step(NamedTuple):
    """A remembered step: its number among those of its name, the digest of its arguments, its value.

    A task that waited a thousand times makes a thousand of them in each further round: hence a tuple.

    A wait is a step too: `waits_for` names a signal, or is empty for a sleep. It ends at `due_at`, if it has
    one; once it is over, `taken` is the number of the signal that it took, or 0. So is a gather: `children`
    counts those that have not ended; an `eager` one is over once one of them failed, and takes 1 then.
    """

    name: str
    n: int
    digest: str
    value: str
    attempt: int
    duration_ms: int = 0
    waits_for: str | None = None
    due_at: int | None = None
    taken: int | None = None
    children: int | None = None
    eager: int | None = None


class Remembered(NamedTuple):
    """What a handler begins with: the steps, and by their names the numbers of the sleeps that are over.

    Of such a sleep nothing else is of use, and a task that slept a thousand times has a thousand of them.
    """

    steps: Sequence[Step]
    slept: Mapping[str, Set[int]]

    @property
    def many(self) -> int:
        """How many steps these are."""
        return len(self.steps) + sum(map(len, self.slept.values()))


NOTHING_YET = Remembered((), {})
