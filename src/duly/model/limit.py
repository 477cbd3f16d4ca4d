"""What limits tasks, by name: of a queue, of a type, of each key that a type's tasks have; and how fast.

queue/<queue>   type/<type>   key/<type>/<tenant>/<value>   each/<type>: what its keys begin with
owner/<tenant>/<owner>   owner/*   tenant/<tenant>   tenant/*   queue/*: quotas of what waits
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from duly.model.errors import InvalidInput

UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
#: The row that stands for the list of all limits.
ALL = "*"
#: A longer value stands in its key's name as a digest.
VALUE_LIMIT = 100
MOST = 1_000_000
LONGEST_MS = 366 * 86_400_000
_RATE = re.compile(r"([0-9]{1,7})/([0-9]{0,6})([smhd])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many starts in so many milliseconds on average, and as many at once after a rest."""

    count: int
    per_ms: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST or not 1 <= self.per_ms <= LONGEST_MS:
            raise InvalidInput("a rate is a number of starts in a time, as 10/s, 100/m or 1/15s")

    @classmethod
    def parse(cls, text: str) -> Rate:
        """From `10/s`, `100/m`, `1/15s`; s, m, h and d are seconds, minutes, hours and days."""
        found = _RATE.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise InvalidInput(f"a rate is written as 10/s, 100/m or 1/15s, not {text!r}")
        count, many, unit = found.groups()
        return cls(count=int(count), per_ms=int(many or 1) * UNITS[unit])

    def __str__(self) -> str:
        unit, size = max((one for one in UNITS.items() if self.per_ms % one[1] == 0), key=lambda one: one[1])
        many = self.per_ms // size
        return f"{self.count}/{'' if many == 1 else many}{unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one limit allows: so many at once, so many starts in a time; None: as many as there are."""

    concurrency: int | None = None
    rate: Rate | None = None

    def __post_init__(self) -> None:
        check_count(self.concurrency, "concurrency")

    @property
    def words(self) -> dict[str, Any]:
        """As JSON, without what it does not say."""
        said = {"concurrency": self.concurrency, "rate": None if self.rate is None else str(self.rate)}
        return {word: value for word, value in said.items() if value is not None}


def check_count(value: int | None, what: str, least: int = 0) -> None:
    """A whole number of tasks, or None."""
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST
    ):
        raise InvalidInput(f"{what} must be a whole number from {least} to {MOST:,}, not {value!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a task type declares: for all its tasks, and for those that have one key in common.

    `limit_key`: a dotted path into the input, or `@tenant` or `@owner`. Rates as `Rate.parse` reads them.
    """

    concurrency: int | None = None
    rate: str | None = None
    limit_key: str | None = None
    key_concurrency: int | None = None
    key_rate: str | None = None

    def __post_init__(self) -> None:
        self.of_type, self.of_key  # noqa: B018 - they say what is wrong
        keyed = self.key_concurrency is not None or self.key_rate is not None
        if keyed and self.limit_key is None:
            raise InvalidInput("key_concurrency and key_rate need a limit_key: what the tasks have in common")
        if self.limit_key is not None and not self.limit_key:
            raise InvalidInput("limit_key must not be empty")

    @property
    def of_type(self) -> Allowance:
        """For all tasks of the type together."""
        return _allowance(self.concurrency, self.rate)

    @property
    def of_key(self) -> Allowance:
        """For the tasks of each key."""
        return _allowance(self.key_concurrency, self.key_rate)

    def key_of(self, task_type: str, input_: Any, *, tenant: str, owner: str) -> str | None:
        """The name of the limit that a task of this input is under; None if the input lacks the key."""
        value = {"@tenant": tenant, "@owner": owner}.get(self.limit_key or "")
        if value is None and self.limit_key is not None:
            value = _found(input_, self.limit_key.split("."))
        return None if value is None else key_name(task_type, tenant, value)


def _allowance(concurrency: int | None, rate: str | None) -> Allowance:
    return Allowance(concurrency=concurrency, rate=None if rate is None else Rate.parse(rate))


def _found(value: Any, path: list[str]) -> str | None:
    for word in path:
        value = value.get(word) if isinstance(value, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


def queue_name(queue: str) -> str:
    """The limit of all tasks of a queue."""
    return f"queue/{queue}"


def type_name(task_type: str) -> str:
    """The limit of all tasks of a type."""
    return f"type/{task_type}"


def each_name(task_type: str) -> str:
    """What each key of a type begins with."""
    return f"each/{task_type}"


def key_name(task_type: str, tenant: str, value: str) -> str:
    """The limit of the tasks of one type and tenant that have this value in common."""
    if len(value) > VALUE_LIMIT or not value.isprintable() or value != value.strip():
        import hashlib  # here, for it brings OpenSSL along: 3 MB in the supervising parent

        value = hashlib.sha256(value.encode()).hexdigest()
    return f"key/{task_type}/{tenant}/{value}"


def template_of(name: str) -> str:
    """The template of a key's limit."""
    return each_name(name.split("/", 2)[1])


#: What a limit can be of, and how many words follow.
KINDS = {"queue": 1, "type": 1, "each": 1, "key": 3, "owner": 2, "tenant": 1}
#: What only a quota can be of.
QUOTAS = ("owner", "tenant")


def check_limit_name(name: str, *, quota: bool = False) -> str:
    """A limit's name, as the head of this module lists them; `quota`: only what waits is to be counted."""
    if not isinstance(name, str) or len(name) > 255 or not name.isprintable():
        raise InvalidInput("a limit's name has at most 255 printable characters")
    kind, _, rest = name.partition("/")
    every = rest == "*" and kind in ("queue", *QUOTAS)
    if kind not in KINDS or not rest or (rest.count("/") + 1 < KINDS[kind] and not every):
        raise InvalidInput(
            f"{name!r} is no limit: write queue/NAME, type/TYPE, each/TYPE, key/TYPE/TENANT/VALUE, "
            "owner/TENANT/OWNER, tenant/TENANT, or queue/*, owner/*, tenant/*"
        )
    if not quota and (every or kind in QUOTAS):
        raise InvalidInput(f"{name} takes no concurrency and no rate, only how many tasks may wait")
    return name
