"""What a verb sees: one open write transaction, its `now`, and the SQL files of its database.

Needs only a DB-API cursor, so that the supervising parent can run the same verbs without SQLAlchemy.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Protocol

from duly.store.heads import Heads

Row = tuple[Any, ...]

#: Compact JSON, as batches and rows carry it. One encoder: `json.dumps` would make one for each call.
compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the installation has settled: durations in milliseconds, and where others reach its API."""

    lease_ms: int = 30_000
    retention_ms: int = 30 * 86_400_000
    key_ttl_ms: int = 86_400_000
    audit_ms: int = 365 * 86_400_000
    upload_ms: int = 86_400_000
    ledger_ms: int = 400 * 86_400_000
    public_url: str = ""


class Cursor(Protocol):
    """The part of a DB-API 2.0 cursor that verbs use."""

    description: Any

    def execute(self, operation: str, parameters: Mapping[str, Any], /) -> Any: ...

    def executemany(self, operation: str, parameters: Sequence[Any], /) -> Any: ...

    def fetchall(self) -> list[Row]: ...


@cache
def script(dialect: str, name: str) -> tuple[str, ...]:
    """The statements of `sql/<dialect>/<name>.sql`, in order; comments are dropped."""
    text = resources.files("duly.store").joinpath("sql", dialect, f"{name}.sql").read_text("utf-8")
    code = "\n".join(line.split("--", 1)[0].rstrip() for line in text.splitlines())
    if dialect != "sqlite":
        code = _pyformat(code)
    return tuple(statement.strip() for statement in code.split(";") if statement.strip())


@cache
def read_ahead(dialect: str) -> None:
    """Reads all statements now: later a process may have no descriptor left to open their files."""
    for one in resources.files("duly.store").joinpath("sql", dialect).iterdir():
        if one.name.endswith(".sql"):
            script(dialect, one.name.removesuffix(".sql"))


def _pyformat(code: str) -> str:
    """The files name parameters as SQLite does (`:name`, `?`); the other drivers want `%(name)s` and `%s`."""
    return re.sub(r"(?<![:\w]):(\w+)", r"%(\1)s", code.replace("%", "%%").replace("?", "%s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What a statement is made from: `now` in milliseconds UTC, the terms, what is known of queues."""

    now: int
    terms: Terms
    heads: Heads


def given(parameters: Mapping[str, Any], now: int, batch: Iterable[Any] | None = None) -> dict[str, Any]:
    """The parameters of a file's statements: `batch`, lists and dicts become JSON."""
    values = {key: compact(one) if isinstance(one, list | dict) else one for key, one in parameters.items()}
    values["now"] = now
    if batch is not None:
        values["batch"] = compact(list(batch))
    return values


class Transaction:
    """One write transaction. `now` is milliseconds UTC, read after the write lock was taken."""

    def __init__(
        self,
        cursor: Cursor,
        now: int,
        *,
        terms: Terms,
        dialect: str = "sqlite",
        core: Any = None,
        heads: Heads | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._cursor = cursor
        self._clock = clock
        self._run_all = getattr(cursor, "run_all", None) or self._run_in_turn
        self.dialect = dialect
        self.now = now
        self.terms = terms
        #: What the process remembers of its queues; without it every look begins at the front.
        self.heads = heads or Heads()
        #: What its verbs gave back of limits, and where somebody who waits may find room (store.limits).
        self.freed: Counter[str] = Counter()
        self.stirred: set[str] = set()
        #: Whether it has locked a limit: then it waits for no other one.
        self.limits_locked = False
        #: Verbs that others did in passing: hints come after them too.
        self.passing: set[Any] = set()
        #: The SQLAlchemy connection of the same transaction; None in the supervising parent.
        self.core = core

    @property
    def moment(self) -> Moment:
        """What its statements are made from."""
        return Moment(now=self.now, terms=self.terms, heads=self.heads)

    def look_at_the_clock(self) -> None:
        """Has `now` read anew, for it is that of before a wait for a lock. It never goes back within one."""
        if self._clock is not None:
            self.now = max(self.now, self._clock())

    def run(self, name: str, batch: Iterable[Any] | None = None, **parameters: Any) -> list[Row]:
        """Runs one SQL file; `batch`, lists and dicts become JSON. Returns the last rows it selected."""
        return self._run_all(script(self.dialect, name), given(parameters, self.now, batch))

    def _run_in_turn(self, statements: Sequence[str], values: Mapping[str, Any]) -> list[Row]:
        rows: list[Row] = []
        for statement in statements:
            self._cursor.execute(statement, values)
            if self._cursor.description is not None:
                rows = self._cursor.fetchall()
        return rows

    def run_each(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Runs a file of one statement for each row; as a batch where each call would be a round trip.

        On SQLite a row that is bound is cheaper than one in JSON, if it goes into one index only.
        """
        if self.dialect != "sqlite":
            self.run(name, rows)
        elif rows:
            [statement] = script(self.dialect, name)
            self._cursor.executemany(statement, rows)

    def run_many(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs a file of one statement once per row; for bodies, which JSON cannot carry."""
        if rows:
            [statement] = script(self.dialect, name)
            self._cursor.executemany(statement, rows)
