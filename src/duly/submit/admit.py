"""Turns what a caller asks for into a `Submission` that is valid for its task type, or says why not."""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uuid_utils

from duly.clock import parse_iso
from duly.model import wire
from duly.model.batch import BATCH
from duly.model.bulk import BULK, BulkJob
from duly.model.errors import InvalidInput, TooLarge
from duly.model.task import Conditions, Submission, Target
from duly.registry import Registry, TaskType
from duly.submit import batch, targets

INPUT_LIMIT = 1_048_576
METADATA_LIMIT = 16_384
LATEST = 253_402_300_799_999

Moment = dt.datetime | dt.timedelta | str | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a caller may say about a task besides its type and input; None takes the handler's default.

    `due` and `deadline`: a moment with a zone, ISO 8601 text, a timedelta, or seconds from now.
    `result_ttl`: seconds that the ended task is kept, at least 60; with an `idempotency_key` at least a day.
    """

    tenant: str = ""
    owner: str = ""
    queue: str | None = None
    priority: int = 5
    due: Moment = None
    deadline: Moment = None
    timeout: float | None = None
    result_ttl: float | None = None
    max_retries: int | None = None
    idempotency_key: str | None = None
    unique: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    deliver: Sequence[Target | Mapping[str, Any] | str] = ()

    @property
    def plain(self) -> bool:
        """Whether nothing in it is of this one request alone."""
        moments = self.due is None and self.deadline is None
        keys = self.idempotency_key is None and self.unique is None
        return moments and keys and self.metadata == {} and self.tags == self.deliver == ()


def admit(registry: Registry, task_type: str, input_: Any, options: Options, now: int) -> Submission:
    """The submission of one task.

    Raises:
        InvalidInput: an unknown task type, an input that its handler does not take, an option out of range.
    """
    kind = registry[task_type]
    input_ = _job(input_) if task_type == BULK else input_
    kind.bind(input_)
    text = wire.dumps(input_, what="the input")
    if len(text.encode()) > INPUT_LIMIT:
        raise TooLarge(
            f"the input has {len(text.encode())} bytes; the limit is {INPUT_LIMIT}: upload a file instead"
        )
    members = None
    if task_type == BATCH:
        options, members = batch.checked(input_, options, functools.partial(_member, registry, options, now))
    key = _limit_key(kind, options, input_)
    conditions = _shared(kind, options, key) if options.plain else _conditions(kind, options, now, text, key)
    return Submission(str(uuid_utils.uuid7()), text, conditions, members)


def _job(input_: Any) -> dict[str, Any]:
    """A job's input, if somebody has looked at who asks for it: it may name everybody's tasks."""
    if not isinstance(input_, BulkJob):
        raise InvalidInput(f"{BULK} is not submitted; begin one with POST /api/bulk or `duly bulk`")
    return input_.input


def _member(
    registry: Registry, batch_: Options, now: int, task_type: str, input_: Any, options: Mapping[str, Any]
) -> Submission:
    """What a member of a batch would be, whose owner and tenant are the batch's."""
    return admit(
        registry, task_type, input_, Options(tenant=batch_.tenant, owner=batch_.owner, **options), now
    )


@functools.lru_cache(maxsize=1024, typed=True)
def _common(kind: TaskType, tenant: Any, owner: Any, queue: Any, *terms: Any) -> Conditions:
    """The conditions of requests that say nothing of their own."""
    priority, timeout, max_retries, ttl, key = terms
    options = Options(
        tenant=tenant,
        owner=owner,
        queue=queue,
        priority=priority,
        timeout=timeout,
        max_retries=max_retries,
        result_ttl=ttl,
    )
    return _conditions(kind, options, 0, "", key)


def _shared(kind: TaskType, options: Options, key: str | None) -> Conditions:
    terms = (options.priority, options.timeout, options.max_retries, options.result_ttl, key)
    try:
        return _common(kind, options.tenant, options.owner, options.queue, *terms)
    except TypeError:  # not even hashable
        return _conditions(kind, options, 0, "", key)


def _limit_key(kind: TaskType, options: Options, input_: Any) -> str | None:
    """The limit that the input puts the task under, of all that its type's code declares."""
    if kind.limits.limit_key is None:
        return None
    return kind.limits.key_of(kind.name, input_, tenant=options.tenant, owner=options.owner)


def _conditions(kind: TaskType, options: Options, now: int, text: str, key: str | None) -> Conditions:
    _check_shapes(options)
    return Conditions(
        task_type=kind.name,
        body_hash="" if options.idempotency_key is None else wire.digest([kind.name, json.loads(text)]),
        queue=options.queue or kind.queue,
        tenant=options.tenant,
        owner=options.owner,
        priority=_integer(options.priority, "priority"),
        due_at=moment(options.due, now, "due"),
        deadline_at=_deadline(options.deadline, now),
        timeout_ms=_timeout(kind, options),
        result_ttl_ms=_result_ttl(kind, options),
        max_retries=_integer(
            kind.policy.max_retries if options.max_retries is None else options.max_retries, "max_retries"
        ),
        idempotency_key=options.idempotency_key,
        unique=options.unique,
        tags=tuple(options.tags),
        metadata=dict(options.metadata),
        deliver=targets.parsed(options.deliver, functools.partial(moment, now=now, what="valid_until")),
        limit_key=key,
    )


def _check_shapes(options: Options) -> None:
    if not isinstance(options.metadata, Mapping):
        raise InvalidInput("metadata must be an object")
    if (
        options.metadata
        and len(wire.dumps(dict(options.metadata), what="metadata").encode()) > METADATA_LIMIT
    ):
        raise TooLarge(f"metadata is larger than {METADATA_LIMIT} bytes")
    for what, several in (("tags", options.tags), ("deliver", options.deliver)):
        if isinstance(several, str | Mapping):  # each letter would be one
            raise InvalidInput(f"{what} must be a list")


def moment(value: Moment, now: int, what: str) -> int | None:
    """Milliseconds UTC of a moment in one of the forms that `Options` allows."""
    at = _milliseconds(value, now, what)
    if at is not None and at > LATEST:
        raise InvalidInput(f"{what} lies after the year 9999")
    return at


def _milliseconds(value: Moment, now: int, what: str) -> int | None:
    match value:
        case None:
            return None
        case dt.timedelta():
            return now + round(value.total_seconds() * 1000)
        case dt.datetime() if value.tzinfo is None:
            raise InvalidInput(f"{what} needs a time zone: {value.isoformat()} means two times")
        case dt.datetime():
            return round(value.timestamp() * 1000)
        case bool():
            raise InvalidInput(f"{what} must be a moment, not {value}")
        case int() | float() if abs(value) < 1e10:
            return now + round(value * 1000)
        case str():
            return _parse(value, what)
    raise InvalidInput(f"{what} must be an ISO 8601 moment or seconds from now, not {value!r}")


def _parse(text: str, what: str) -> int:
    try:
        return parse_iso(text)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{what} is not an ISO 8601 moment: {error}") from None


def _deadline(value: Moment, now: int) -> int | None:
    deadline = moment(value, now, "deadline")
    if deadline is not None and deadline <= now:
        raise InvalidInput("deadline lies in the past")
    return deadline


def _timeout(kind: TaskType, options: Options) -> int:
    timeout = kind.timeout if options.timeout is None else options.timeout
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e9:
        raise InvalidInput(f"timeout must be more than 0 seconds, not {timeout!r}")
    return max(1, round(timeout * 1000))


def _result_ttl(kind: TaskType, options: Options) -> int | None:
    """None: whatever the installation says when the task ends."""
    ttl = kind.result_ttl if options.result_ttl is None else options.result_ttl
    if ttl is None:
        return None
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not abs(ttl) < 1e12:
        raise InvalidInput(f"result_ttl must be a number of seconds, not {ttl!r}")
    return round(ttl * 1000)


def _integer(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"{what} must be a whole number, not {value!r}")
    return value
