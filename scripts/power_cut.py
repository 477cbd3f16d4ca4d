#!/usr/bin/env python3
"""Cuts the power of a simulated disk under the store's verbs, then looks for what was acknowledged.

`power_cut.py --cuts 60 --seed 1` makes so many cuts in WAL mode and on the fallback, the rollback journal,
and as many of each with a pragma weaker: the controls. It prints one JSON line and exits 1 when a task is
lost or older than acknowledged, when a file is unsound, or when a control loses nothing (too few cuts may).
What the disk may do to unsynced bytes stands in tests/support/disk.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from duly.store import migrate
from duly.store.database import Database
from support.power import (  # type: ignore[import-not-found]
    CARELESS,
    CARELESS_ROLLBACK,
    ROLLBACK,
    WRITE_AHEAD,
    Footing,
    Outcome,
    cut,
)

EVERY = 20


def series(blank: Path, name: str, footing: Footing, seeds: range) -> list[Outcome]:
    """One cut per seed; says how it goes."""
    outcomes: list[Outcome] = []
    for seed in seeds:
        outcomes.append(cut(blank, seed, footing))
        if len(outcomes) % EVERY == 0 or len(outcomes) == len(seeds):
            print(f"{name}: {len(outcomes)} cuts, {lost(outcomes)} lost", flush=True)
    return outcomes


def lost(outcomes: list[Outcome]) -> int:
    """Acknowledged tasks that are gone or older than acknowledged."""
    return sum(len(one.lost) for one in outcomes)


def main() -> int:
    """Reads the command line, runs the series, prints the line; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--cuts", type=int, default=60, help="of each kind; a seed each")
    parser.add_argument("--seed", type=int, default=1, help="the first one")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.cuts)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="duly-power-") as folder:
        blank = Path(folder) / "duly.db"
        migrate.ensure(Database(f"sqlite:///{blank}"))
        full = series(blank, "WAL, FULL", WRITE_AHEAD, seeds)
        fallback = series(blank, "DELETE, EXTRA", ROLLBACK, seeds)
        control = series(blank, "control: WAL, NORMAL", CARELESS, seeds)
        lesser = series(blank, "control: DELETE, FULL", CARELESS_ROLLBACK, seeds)
    return report(full, fallback, control, lesser, round(time.monotonic() - begun))


def report(
    full: list[Outcome], fallback: list[Outcome], control: list[Outcome], lesser: list[Outcome], seconds: int
) -> int:
    """Prints what went wrong, then the one line; answers the exit code."""
    unsound = [one for one in (*full, *fallback, *control, *lesser) if one.wrong]
    for one in (*unsound, *(one for one in (*full, *fallback) if one.lost)):
        print(one, file=sys.stderr)
    line = {
        "cuts": len(full),
        "in_checkpoints": sum(one.interrupted.endswith(".db") for one in full),
        "commits": sum(one.commits for one in full),
        "acknowledged": sum(one.acknowledged for one in full),
        "lost": lost(full),
        "control_cuts": len(control),
        "control_lost": lost(control),
        "fallback_cuts": len(fallback),
        "fallback_acknowledged": sum(one.acknowledged for one in fallback),
        "fallback_lost": lost(fallback),
        "fallback_control_lost": lost(lesser),
        "corrupt": len(unsound),
        "seconds": seconds,
    }
    print(json.dumps(line))
    blind = lost(control) == 0 or lost(lesser) == 0
    return int(bool(unsound) or lost(full) + lost(fallback) > 0 or blind)


if __name__ == "__main__":
    sys.exit(main())
