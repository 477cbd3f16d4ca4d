#!/usr/bin/env python3
"""Tasks through the Celery bridge on each broker over a bad line: messages come twice, every tenth is lost.

`make bridge`. A relay stands between sender and worker; all else is as in production: a sending worker, one
`celery worker -P threads -c 200`, PostgreSQL. First come 200 tasks of a second each, then 20 whose messages
are all lost at first. Prints one JSON line; exits 1 unless each task was recorded once, after one attempt,
and the 200 ran at once in one process.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import engines  # type: ignore[import-not-found]
from support.bad_line import bridge  # type: ignore[import-not-found]
from support.cluster import Cluster  # type: ignore[import-not-found]

TASKS, SECONDS, LOST = 200, 1.0, 20


async def measured(kind: str, folder: Path) -> dict[str, Any]:
    """All tasks through one broker."""
    async with bridge(kind, folder, held=TASKS, slots=TASKS) as site:
        begun = time.monotonic()
        ids = await site.near.submit_many(TASKS, "silent.loop", {"seconds": SECONDS})
        await site.ended(TASKS)
        seconds = round(time.monotonic() - begun, 1)
        together = overlap(site.near)
        ids += await site.lost(LOST)
        await site.ended(TASKS + LOST)
        return {
            "seconds": seconds,
            "overlap": together,
            **await site.books(ids),
            "processes": len({line["pid"] for line in site.near.ledger("start")}),
            "rss_mb": memory(site.worker.pid),
        }


def overlap(site: Cluster) -> int:
    """How many handlers ran at once at most."""
    most = running = 0
    for line in sorted(site.ledger(), key=lambda line: float(line["at"])):
        running += {"start": 1, "end": -1}[line["what"]]
        most = max(most, running)
    return most


def memory(pid: int) -> float:
    """The most that a process has held, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return round(int(kilobytes) / 1024, 1)


def kept(figures: dict[str, Any]) -> bool:
    """Whether every task was recorded once, and all of them ran at once."""
    once = figures["tasks"] == figures["recorded"] == figures["attempts"] == TASKS + LOST
    return bool(once and figures["overlap"] == TASKS and figures["processes"] == 1)


def main() -> int:
    """Measures both, one after the other."""
    found = {}
    for kind in engines.BROKERS:
        with tempfile.TemporaryDirectory() as folder:
            found[kind] = asyncio.run(measured(kind, Path(folder)))
    good = all(kept(figures) for figures in found.values())
    print(json.dumps({"ok": good, **found}))
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
