"""Gates of model providers: a row each, by which all processes agree who may be asked, when, and how much.

A gate that was closed lets one request through when its time is over, whichever process makes it; its answer
opens the gate, and more follow, twice as many each half second. Permits of the rates per minute are taken
some at a time. What a process that died had taken comes back by the clock: its probe in ten seconds, its
permits with their minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from duly.store import schema
from duly.store.minute import Minute, Unused
from duly.store.transaction import Transaction

#: How long a probe is believed to be under way without a word, in milliseconds.
PROBE_MS = 10_000
#: Requests that are let through at first; doubled so often; after so long it is open as before.
FIRST, DOUBLES_MS, RAMP_MS = 4, 500, 5_000
#: Each answer lets so many more follow; a provider that has never answered gets one more so often.
FOLLOW, SLOWLY_MS = 2, 10_000
#: When to ask again where the ramp has no room, and where nothing has been answered yet.
LOOK_MS, LOOK_NEW_MS = 100, 500
#: A gate that is held without an end is looked at again after so long.
HELD_MS = 300_000
#: So many tasks one call wakes.
MOST_WOKEN = 1000

TABLE, COLUMNS, TASK = schema.gate, schema.gate.c, schema.task.c
Rates = tuple[int | None, int | None]


class View(NamedTuple):
    """A gate as of one moment. `shut_ms`: until it may be asked, 0: now; `probed`: one request is under way
    that finds out; `leased`: each request needs a permit."""

    name: str
    version: int = 0
    shut_ms: int = 0
    kind: str | None = None
    code: str | None = None
    message: str | None = None
    closings: int = 0
    failures: int = 0
    probed: bool = False
    leased: bool = True


@dataclass(slots=True, kw_only=True)
class Gate:
    """One row as it was locked, and what becomes of it."""

    name: str
    closed_until: int | None
    closed_at: int | None
    kind: str | None
    code: str | None
    message: str | None
    closings: int
    failures: int
    probe_by: str | None
    probe_until: int | None
    opened_at: int | None
    ramp_at: int
    ramp_used: int
    held_at: int | None
    held_until: int | None
    held_by: str | None
    held_reason: str | None
    requests: float
    tokens: float
    refilled_at: int
    seconds: str
    version: int

    def shut_ms(self, now: int) -> int:
        """Milliseconds until somebody may ask."""
        held = 0
        if self.held_at is not None:
            held = HELD_MS if self.held_until is None else self.held_until - now
        return max(0, held, (self.closed_until or 0) - now)

    def probed(self, now: int) -> bool:
        """Whether some process makes the one request that will open it."""
        return self.closed_until is not None and self.probe_by is not None and (self.probe_until or 0) > now

    def room(self, now: int) -> int:
        """How many more requests the ramp lets through; many, when it is over."""
        if self.closed_until is not None:
            return 1
        passed = max(0, now - self.ramp_at)
        if self.opened_at is None:
            return FIRST + passed // SLOWLY_MS - self.ramp_used
        return int(FIRST * 2 ** (passed / DOUBLES_MS)) - self.ramp_used if passed < RAMP_MS else 1_000_000

    def leased(self, now: int) -> bool:
        """Whether each request needs a permit, whatever the rates are."""
        return self.closed_until is not None or self.opened_at is None or now - self.ramp_at < RAMP_MS

    def view(self, now: int) -> View:
        """As a process sees it."""
        held = self.held_at is not None and (self.held_until is None or self.held_until > now)
        why = ("limited", "held", self.held_reason) if held else (self.kind, self.code, self.message)
        shut, counts = self.shut_ms(now), (self.closings, self.failures)
        return View(self.name, self.version, shut, *why, *counts, self.probed(now), self.leased(now))

    def close(self, now: int, until: int, why: tuple[str, str, str]) -> None:
        """Nobody asks until then."""
        if self.closed_until is None:
            self.closed_at = now
        self.closed_until = max(self.closed_until or 0, until)
        self.kind, self.code, self.message = why
        self.closings, self.failures = self.closings + 1, 0
        self.probe_by = self.probe_until = None

    def open(self, now: int) -> None:
        """It may be asked: a few at first."""
        self.closed_until = self.closed_at = self.kind = self.code = self.message = None
        self.probe_by = self.probe_until = None
        self.closings = self.failures = self.ramp_used = 0
        self.ramp_at = now


_NAMES = tuple(Gate.__slots__)


def _locked(tx: Transaction, names: Iterable[str]) -> dict[str, Gate]:
    """These gates, made where there are none, locked in the order of their names."""
    asked = sorted(set(names))
    tx.run("gates_make", asked)
    query = sa.select(TABLE).where(COLUMNS.name.in_(asked)).order_by(COLUMNS.name).with_for_update()
    rows = tx.core.execute(query).mappings()
    return {row["name"]: Gate(**{**row, "version": row["version"] + 1}) for row in rows}


def _write(tx: Transaction, gates: Iterable[Gate]) -> None:
    rows = [{f"to_{name}": getattr(one, name) for name in _NAMES} for one in gates]
    values: dict[str, Any] = {name: sa.bindparam(f"to_{name}") for name in _NAMES if name != "name"}
    tx.core.execute(sa.update(TABLE).where(COLUMNS.name == sa.bindparam("to_name")).values(values), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Permits for requests that need so many tokens each, as many of them as there are, from the first on.
    `rates`: requests and tokens a minute."""

    name: str
    holder: str
    needs: tuple[int, ...]
    rates: Rates = (None, None)
    unused: tuple[Unused, ...] = ()


class Granted(NamedTuple):
    """How many were let through, in which second of the database's clock, whether it is the one request that
    is a probe, and if none was, after how many milliseconds to ask again."""

    permits: int
    second: int
    probe: bool
    wait_ms: int
    view: View


def lease(tx: Transaction, items: Sequence[Lease]) -> list[Granted]:
    """Lets requests through, as many as the gate and its rates allow."""
    gates = _locked(tx, [item.name for item in items])
    refused: dict[str, int] = {}
    answers = []
    for item in items:
        one = _lease(gates[item.name], item, tx.now)
        if not one.permits and item.rates[0]:
            before = refused.get(item.name, 0)  # each at its own turn, not all at the next one's
            refused[item.name] = before + 1
            one = one._replace(wait_ms=one.wait_ms + before * 61_000 // item.rates[0])
        answers.append(one)
    _write(tx, gates.values())
    return answers


def _lease(gate: Gate, item: Lease, now: int) -> Granted:
    minute = Minute.read(gate.requests, gate.tokens, gate.refilled_at, gate.seconds)
    minute.turn(now, item.rates)
    for one in item.unused:
        minute.give_back(now, one)
    permits, wait = _let_through(gate, item, minute, now)
    gate.requests, gate.tokens = minute.levels
    gate.refilled_at, gate.seconds = minute.at, minute.text
    probe = permits > 0 and gate.closed_until is not None
    if probe:
        gate.probe_by, gate.probe_until = item.holder, now + PROBE_MS
    gate.ramp_used += permits if gate.leased(now) and not probe else 0
    return Granted(permits, now // 1000, probe, wait, gate.view(now))


def _let_through(gate: Gate, item: Lease, minute: Minute, now: int) -> tuple[int, int]:
    """How many, and if none, after how many milliseconds to ask again."""
    if shut := gate.shut_ms(now):
        return 0, shut
    room = 0 if gate.probed(now) else gate.room(now)
    permits = 0
    for tokens in item.needs[: max(0, room)]:
        wait = minute.opens_in(now, tokens, item.rates)
        if wait > 0:
            return permits, wait
        minute.take(now, tokens)
        permits += 1
    return permits, LOOK_MS if gate.opened_at is not None else LOOK_NEW_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A request failed. It closes the gate at once, as a probe, or as one of `most` in a row: for `after_ms`
    if the provider has said so, else for `ms` doubled with each time, at most `most_ms`."""

    name: str
    kind: str
    code: str
    message: str
    at_once: bool
    probe: bool
    most: int
    ms: int
    most_ms: int
    after_ms: int | None = None


def failed(tx: Transaction, items: Sequence[Failed]) -> list[View]:
    """Counts failures, and closes what has had enough of them."""
    gates = _locked(tx, [item.name for item in items])
    for item in items:
        _failed(gates[item.name], item, tx.now)
    _write(tx, gates.values())
    return [gates[item.name].view(tx.now) for item in items]


def _failed(gate: Gate, item: Failed, now: int) -> None:
    closed = (gate.closed_until or 0) > now
    if closed and item.after_ms is None:
        return  # it was under way when another one closed it
    if not item.at_once and not item.probe:
        gate.failures += gate.closed_until is None
        if gate.failures < item.most:
            return
    ms = min(item.ms * 2 ** min(gate.closings, 10), item.most_ms)
    counted = gate.closings
    gate.close(now, now + (ms if item.after_ms is None else item.after_ms), _why(item))
    if closed:  # one of many that were under way together
        gate.closings = counted


def _why(item: Failed) -> tuple[str, str, str]:
    return item.kind, item.code[:100], item.message


class Answered(NamedTuple):
    """A provider has answered a request of this process, `probe`: the one that was let through."""

    name: str
    holder: str
    probe: bool


def answered(tx: Transaction, items: Sequence[Answered]) -> list[tuple[View, bool]]:
    """Opens what was probed by who answers, and forgets failures; says whether it was this that opened it.

    An answer to what was under way when others closed the gate opens nothing.
    """
    gates = _locked(tx, [item.name for item in items])
    answers = []
    for item in items:
        gate = gates[item.name]
        opens = item.probe and gate.closed_until is not None and gate.probe_by == item.holder
        if opens:
            gate.open(tx.now)
        if gate.closed_until is None:
            gate.failures, gate.opened_at = 0, gate.opened_at or tx.now
            gate.ramp_used -= FOLLOW if gate.leased(tx.now) else 0
        answers.append((gate.view(tx.now), opens))
    _write(tx, gates.values())
    return answers


class Probe(NamedTuple):
    """A process says that its probe is still under way (`goes_on`), or that it gave it up."""

    name: str
    holder: str
    goes_on: bool


def probe(tx: Transaction, items: Sequence[Probe]) -> list[None]:
    """Prolongs probes, or lets another process make one."""
    gates = _locked(tx, [item.name for item in items])
    for item in items:
        gate = gates[item.name]
        if gate.probe_by == item.holder:
            gate.probe_until = tx.now + PROBE_MS if item.goes_on else None
            gate.probe_by = item.holder if item.goes_on else None
    _write(tx, gates.values())
    return [None for _ in items]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An operator's word that nobody shall ask this provider, for so long; None: until he says otherwise."""

    name: str
    ms: int | None = None
    by: str | None = None
    reason: str | None = None


def hold(tx: Transaction, items: Sequence[Hold]) -> list[None]:
    """From the commit on no permit is given; processes that need none hear of it within a quarter second."""
    gates = _locked(tx, [item.name for item in items])
    for item in items:
        gate = gates[item.name]
        gate.held_at, gate.held_by, gate.held_reason = tx.now, item.by, item.reason
        gate.held_until = None if item.ms is None else tx.now + item.ms
    _write(tx, gates.values())
    return [None for _ in items]


def release(tx: Transaction, names: Sequence[str]) -> list[None]:
    """Opens gates, whatever closed them; the ramp goes before the crowd."""
    gates = _locked(tx, names)
    for gate in gates.values():
        gate.held_at = gate.held_until = gate.held_by = gate.held_reason = None
        gate.open(tx.now)
    _write(tx, gates.values())
    return [None for _ in names]


def wake(tx: Transaction, items: Sequence[None]) -> list[int]:
    """Makes tasks due that wait for a gate, at most a thousand a call; how many. Those whose gate is still
    closed wait anew, uncharged."""
    waits = (TASK.status == "waiting", TASK.wait_kind == "model", TASK.due_at > tx.now)
    query = sa.select(TASK.id).where(*waits).order_by(TASK.id).limit(MOST_WOKEN).with_for_update()
    ids = list(tx.core.execute(query).scalars())
    if ids:
        due = sa.update(schema.task).where(TASK.id.in_(ids), *waits)
        tx.core.execute(due.values(due_at=tx.now))
    return [len(ids) for _ in items]


def views(tx: Transaction, names: Sequence[str]) -> list[View]:
    """These gates; one that has no row has never been asked."""
    query = sa.select(TABLE).where(COLUMNS.name.in_(names))
    known = {row["name"]: Gate(**row) for row in tx.core.execute(query).mappings()}
    return [known[name].view(tx.now) if name in known else View(name) for name in names]


def listed(tx: Transaction, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Rows by name, with the moment (`now`) that they are of."""
    query = sa.select(TABLE).order_by(COLUMNS.name)
    rows = tx.core.execute(query if names is None else query.where(COLUMNS.name.in_(names))).mappings()
    return [{**row, "now": tx.now} for row in rows]
