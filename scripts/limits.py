"""The proof of limits on one database. Prints one JSON line: `make limits DATABASE=postgres`, or `all`.

Four workers of 64 slots drain 20,000 empty tasks under 500 keys of which two may run at once, and as many
without a limit, in turns (`ratio`: of the throughputs). Behind 3,000 tasks of one hot key the first one
without a limit starts after `hot_key_s`. And 20,000 more under the keys, while workers are killed 50 times
(each fifth kill takes the supervisor too): all complete, no key is ever exceeded (`most_at_once`, by the
timelines), nothing stays taken, no sweep has to correct a count, and nobody is blocked beside room for longer
than two sweeps. Exits 1 when one of these does not hold, under half the throughput, or over three seconds
behind the hot key.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import servers  # type: ignore[import-not-found]
from support.rations import CAP, Size, prove  # type: ignore[import-not-found]

LEAST_RATIO, MOST_SECONDS = 0.5, 3.0
#: Lines of violations that are printed; the count in the JSON line is of all.
SHOWN = 40


def kept(figures: dict[str, Any], least_ratio: float) -> bool:
    """Whether all that is promised holds."""
    sound = figures["violations"] == 0 and figures["most_at_once"] == CAP
    quick = figures["ratio"] >= least_ratio and figures["hot_key_s"] <= MOST_SECONDS
    return bool(sound and quick)


async def measure(kinds: list[str], size: Size) -> list[dict[str, Any]]:
    """One database after the other."""
    told: list[str] = []
    figures = []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="duly-limits-") as folder:
            figures.append(await prove(kind, Path(folder), size, told.append))
        print(f"limits: {figures[-1]}", file=sys.stderr, flush=True)
    for text in told[:SHOWN]:
        print(text, file=sys.stderr)
    return figures


def main() -> int:
    """Reads the command line; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--database", choices=["sqlite", *servers.KINDS, "all"], default="sqlite")
    for one in dataclasses.fields(Size):
        parser.add_argument(f"--{one.name}", type=int, default=one.default)
    parser.add_argument("--least-ratio", type=float, default=LEAST_RATIO, help="a smaller one fails")
    given = vars(parser.parse_args())
    database, least = given.pop("database"), given.pop("least_ratio")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves no process behind
    kinds = ["sqlite", *servers.KINDS] if database == "all" else [database]
    figures = asyncio.run(measure(kinds, Size(**given)))
    print(json.dumps(figures[0] if len(figures) == 1 else figures))
    return 0 if all(kept(one, least) for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
