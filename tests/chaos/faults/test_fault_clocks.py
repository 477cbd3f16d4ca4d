"""The wall clock of processes jumps by an hour, back and forth, while time itself goes on (libfaketime)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support.fault_case import Case
from support.fault_site import KINDS, Site, lost, site

LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")
HOUR = 3600
#: Where the clock stands next, in seconds from the true time. The last is forward, so that what was put off
#: to a moment that the clock has passed once becomes due again.
JUMPS = (-HOUR, HOUR)


def library() -> str:
    """libfaketime for programs with threads.

    Raises:
        pytest.skip.Exception: it is not installed.
    """
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]
    if not found:
        pytest.skip("needs libfaketime (Debian: apt-get install faketime)")
    return str(found[0])


def fake(one: Site, name: str) -> None:
    """Lets workers, and on SQLite all processes, read their clock's offset from the file `clock`."""
    file = one.folder / "clock"
    put(file, 0)
    words = {"LD_PRELOAD": name, "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1"}
    words |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1"}
    for unit in one.fleet.units if one.kind == "sqlite" else one.workers:
        unit.extra |= words


def put(file: Path, seconds: int) -> None:
    """Moves the clock; nobody reads half a line."""
    new = file.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n")
    new.replace(file)


@pytest.mark.fault("clock-jumps")
@pytest.mark.parametrize("kind", KINDS)
async def test_clocks_that_jump_by_an_hour(kind: str, case: Case) -> None:
    """On a server only its own clock counts; on SQLite all see it. No lease is lost, nothing runs twice."""
    name = library()
    async with site(kind, prepare=lambda one: fake(one, name)) as one:
        async with one.load():
            await one.elapse(4)
            for seconds in JUMPS:
                put(one.folder / "clock", seconds)
                await one.elapse(1.5 * one.lease)
                await one.accepts()
        # How many of an hour's ticks are made up for has a bound: a gap is no fault here.
        found = await one.close_books(case, but={"ticks"} if kind == "sqlite" else set())
        said = len(one.said("clock.jumped"))
        case.wrong("no lease lost", lost(found))
        case.holds("no child dies", one.lives() == 3, f"{one.lives()} children for 3 places")
        ticks = Counter(row.idempotency_key for row in found.tasks if not row.parent_id and ticked(row))
        case.wrong("no tick twice", [key for key, count in ticks.items() if count > 1])
        case.figure(jumps=len(JUMPS), noticed=said, ticks=len(ticks))


def ticked(row: Any) -> bool:
    """Whether a schedule submitted this task."""
    return str(row.idempotency_key).startswith("schedule/")
