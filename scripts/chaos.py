#!/usr/bin/env python3
"""An API and four workers under load while their processes are killed and their database crashes.

`chaos.py --database postgres --minutes 5 --seed 1` prints one JSON line and exits 1 when a promise is broken:
a task lost, an end or a step recorded twice, a recorded step run again, a history that no order explains, an
invariant of the tables, a recovery that took too long (its clock stands still while the database is away).
`--early-rescue` takes living workers for dead all the time, and no promise may break; `--without-fence`
breaks the fence too: that run must find violations. A seed chooses load and victims, the host the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.soak import Plan, Report, soak  # type: ignore[import-not-found]
from support.soak_recovery import percentile  # type: ignore[import-not-found]
from support.soak_servers import DATABASES  # type: ignore[import-not-found]

#: Seconds until the tasks of a killed process run again: given back by its parent, or after lease and sweep.
CHILD_LIMIT, HOST_LIMIT = 5.0, 45.0
#: A shorter run has too few recoveries for a percentile: its longest one may take twice as long.
FULL_MINUTES = 5.0
HOSTS = ("host", "worker supervisor")
#: Lines of violations that are printed; the count in the JSON line is of all.
SHOWN = 40


def line(plan: Plan, report: Report) -> dict[str, Any]:
    """The figures."""
    verdict = report.verdict
    hosts = [wait for what in HOSTS for wait in report.recoveries.get(what, [])]
    child, raw = (found.get("worker child", []) for found in (report.recoveries, report.raw))
    return {
        "database": plan.database,
        "minutes": round(plan.seconds / 60, 2),
        "seed": plan.seed,
        "broken": plan.broken,
        "accepted": verdict.acknowledged,
        "unknown": verdict.unknown,
        "recovered": verdict.recovered,
        "kills": report.kills.total(),
        "host_kills": report.kills["host"],
        "database_restarts": report.restarts,
        "pauses": report.pauses,
        "stale_writers": report.refused,
        "given_up": verdict.given_up,
        "lost": len(verdict.wrong["lost"]),
        "recorded_twice": len(verdict.wrong["recorded twice"]),
        "steps_twice": len(verdict.wrong["steps twice"]),
        "outage_s": round(report.outage, 1),
        "recovery_child_p50_s": percentile(child, 0.5),
        "recovery_child_p99_s": percentile(child, 0.99),
        "recovery_child_p99_with_outages_s": percentile(raw, 0.99),
        "recovery_host_p99_s": percentile(hosts, 0.99),
        "violations": verdict.violations,
    }


def fails(figures: dict[str, Any]) -> bool:
    """Whether a promise is broken, or nothing happened that could have broken one."""
    child, host = figures["recovery_child_p99_s"] or 0, figures["recovery_host_p99_s"] or 0
    ease = 1 if figures["minutes"] >= FULL_MINUTES else 2
    slow = not figures["broken"] and (child > ease * CHILD_LIMIT or host > ease * HOST_LIMIT)
    calm = not (figures["accepted"] and figures["kills"] and figures["host_kills"])
    return bool(figures["violations"]) or slow or calm


async def run(plan: Plan, keep: Path | None) -> int:
    """One soak; answers the exit code."""
    told: list[str] = []
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="duly-soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        report = await soak(plan, folder, told.append)
    for text in told[:SHOWN]:
        print(text, file=sys.stderr)
    figures = line(plan, report)
    print(json.dumps(figures))
    return int(fails(figures))


def main() -> int:
    """Reads the command line; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--database", choices=sorted(DATABASES), default="sqlite")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=None, help="chooses load, victims and times; printed")
    parser.add_argument("--early-rescue", action="store_true", help="break the leases; all must still hold")
    parser.add_argument("--without-fence", action="store_true", help="and the fence; violations must show")
    parser.add_argument("--keep", type=Path, default=None, help="an empty folder for logs and history")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed  # noqa: S311 - hides nothing
    broken = ("lease", "fence") if given.without_fence else ("lease",) if given.early_rescue else ()
    plan = Plan(database=given.database, seconds=given.minutes * 60, seed=seed, broken=broken)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves no process behind
    return asyncio.run(run(plan, given.keep))


if __name__ == "__main__":
    sys.exit(main())
