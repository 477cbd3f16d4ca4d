"""Moves 200,000 tasks to a server while others submit. Prints one JSON line.

`make copy` (ARGS="--tasks 20000 --to mariadb"). A process submits to the source until that is sealed. Exits 1
when a task that was acknowledged is not at the destination, a row differs, or the seal took too long.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from duly.store import claims, migrate, schema, submissions
from duly.store.copying.side import Side
from duly.store.database import Database

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import copies, crowding, servers  # type: ignore[import-not-found]
from support.stores import Store, ending, sqlite_store, submission  # type: ignore[import-not-found]

AT_ONCE = 500
#: Of so many tasks one has run; the others wait.
ENDED_OF = 10
#: Seconds for which the source may be sealed, for each million rows.
MOST_SEALED = 90.0


def fill(path: Path, tasks: int) -> None:
    """A database with so many tasks, of which some have ended."""
    migrate.ensure(Database(f"sqlite:///{path}"))
    store: Store = sqlite_store(path)
    for _ in range(0, tasks, AT_ONCE):
        batch = [
            submission(input='{"text": "' + "word " * 40 + '"}', tags=("a", "b")) for _ in range(AT_ONCE)
        ]
        store.write(submissions.submit, *batch)
    for _ in range(0, tasks // ENDED_OF, AT_ONCE):
        store.write(claims.finish, *map(ending, store.claim(free=AT_ONCE)))
    store.database.close()


def moved(source: str, destination: str) -> tuple[dict[str, Any], float, float]:
    """What `duly db copy` answers, its seconds, and its peak of memory in MB."""
    command = [sys.executable, "-m", "duly.cli", "db", "copy", source, destination, "--yes", "--json"]
    begun = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, cwd=tempfile.gettempdir())
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit("copy: `duly db copy` failed")
        said.seek(0)
        return json.load(said), time.monotonic() - begun, usage.ru_maxrss / 1024


def missing(ids: list[str], destination: str) -> int:
    """How many of these tasks are not there."""
    lost, rest = 0, iter(ids)
    with closing(Side(Database(destination))) as side:
        query = schema.task.select().with_only_columns(schema.task.c.id)
        while part := list(islice(rest, AT_ONCE)):
            found = side.core.execute(query.where(schema.task.c.id.in_(part))).scalars().all()
            lost += len(set(part) - set(found))
    return lost


def measure(tasks: int, kind: str, folder: Path) -> dict[str, Any]:
    """The whole: fill, submit beside, move, count."""
    path = folder / "duly.db"
    fill(path, tasks)
    source, destination = f"sqlite:///{path}", copies.Rooms(folder).fresh(kind)
    acknowledged = folder / "acknowledged"
    crowd = crowding.start(source, acknowledged)
    try:
        said, seconds, peak = moved(source, destination)
        crowd.wait(60)
    finally:
        crowd.kill()
    ids = acknowledged.read_text().split()
    rows = sum(table["rows"] for table in said["tables"].values())
    unlike = copies.unlike(Database(source), Database(destination), "worker")  # its sessions have ended there
    return {
        "to": kind,
        "tasks": said["tables"]["task"]["rows"],
        "accepted_during_copy": len(ids),
        "lost": missing(ids, destination) + tasks + len(ids) - said["tables"]["task"]["rows"],
        "tables_unlike": unlike,
        "rows": rows,
        "seconds": round(seconds, 1),
        "sealed_seconds": said["sealed_seconds"],
        "mb_per_s": round(said["bytes"] / 1e6 / (seconds - said["sealed_seconds"]), 2),
        "peak_rss_mb": round(peak, 1),
    }


def main() -> int:
    """Measures, and judges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--to", choices=("sqlite", *servers.KINDS), default="postgres")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one = measure(asked.tasks, asked.to, Path(folder))
    print(json.dumps(one))
    in_time = one["sealed_seconds"] <= MOST_SEALED * max(1.0, one["rows"] / 1e6)
    return 0 if one["lost"] == 0 and not one["tables_unlike"] and in_time else 1


if __name__ == "__main__":
    sys.exit(main())
