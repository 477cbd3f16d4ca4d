"""The proof of live streams. Prints one JSON line: `make live` (ARGS="--databases sqlite --cuts 50").

On each database two servers run tasks while four readers of all of them, two over SSE and two over
WebSockets, are cut at random so many times together and come back to either server: after de-duplication each
has every line, in order. Then a thousand idle SSE readers sit on one server: they may add 60 MB and double
the p99 of other requests. Exits 1 when one of these does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import servers as databases  # type: ignore[import-not-found]
from support.live_crowd import crowd  # type: ignore[import-not-found]
from support.live_cuts import cut  # type: ignore[import-not-found]
from support.live_site import servers  # type: ignore[import-not-found]

MOST_MB, MOST_RATIO = 60.0, 2.0


def kept(figures: dict[str, Any]) -> bool:
    """Whether all that is promised holds."""
    cuts = [one for name, one in figures.items() if name != "idle"]
    idle = figures.get("idle", {"added_mb": 0.0, "p99_ratio": 0.0})
    told = all(one["missing"] == one["out_of_order"] == 0 and one["resets"] == one["readers"] for one in cuts)
    return bool(told and idle["added_mb"] < MOST_MB and idle["p99_ratio"] <= MOST_RATIO)


async def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for."""
    figures: dict[str, Any] = {}
    for kind in filter(None, asked.databases.split(",")):
        with tempfile.TemporaryDirectory(prefix="duly-live-") as folder:
            url = f"sqlite:///{folder}/duly.db" if kind == "sqlite" else databases.made_url(kind, "live")
            with servers(2, Path(folder), url) as both:
                await asyncio.gather(*(one.ready() for one in both))
                per_reader = -(-asked.cuts // 4)
                figures[kind] = await cut(both, cuts=per_reader, tasks=asked.tasks, seed=asked.seed)
        print(f"live: {kind}: {figures[kind]}", file=sys.stderr, flush=True)
    if asked.readers:
        with tempfile.TemporaryDirectory(prefix="duly-live-") as folder:
            figures["idle"] = await idle(Path(folder), asked.readers)
    return figures


async def idle(folder: Path, readers: int) -> dict[str, Any]:
    """What idle readers cost."""
    with servers(1, folder, f"sqlite:///{folder}/duly.db") as [one]:
        await one.ready()
        return dict(await crowd(one, readers))


def main() -> int:
    """Reads the command line; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--databases", default="sqlite,postgres", help="with commas; empty: none")
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=100, help="at least so many")
    parser.add_argument("--readers", type=int, default=1000, help="idle ones; 0: none")
    parser.add_argument("--seed", type=int, default=1)
    figures = asyncio.run(prove(parser.parse_args()))
    print(json.dumps(figures))
    return 0 if kept(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
