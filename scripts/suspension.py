"""Measures a task that is suspended a thousand times, on each database. Prints one JSON line.

`make suspension` (ARGS="--rounds 9"). Rows inserted per suspension, megabytes added, and what the last wakes
cost next to the tenth, in seconds and in processor time. Exits 1 over 4 rows, 20 MB, or twice the tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from duly import Context, Duly
from duly.store import migrate, schema
from duly.store.database import Database
from duly.testing import harness

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import servers  # type: ignore[import-not-found]

MOST_ROWS, MOST_MB, MOST_TIMES = 4.0, 20.0, 2.0
#: Wakes on either side of the one that is measured: one alone says little.
AROUND = 9
#: Tables whose rows come with the worker's life and not with a task's.
OTHERS = {"counter", "queue", "worker"}
TABLES = sorted(set(schema.metadata.tables) - OTHERS)

duly = Duly("suspension")


@duly.task("naps", timeout=600)
async def naps(ctx: Context, rounds: int) -> int:
    """Sleeps so many times; each is a round."""
    for _ in range(rounds):
        await ctx.sleep("nap", seconds=60)
    return ctx.attempt


SIZES = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
    "mariadb": "SELECT sum(file_size) FROM information_schema.innodb_sys_tablespaces"
    " WHERE name LIKE concat(database(), '/%')",
}
TRIGGERS = {
    "sqlite": "CREATE TRIGGER told_{0} AFTER INSERT ON {0} BEGIN UPDATE told SET n = n + 1; END",
    "mariadb": "CREATE TRIGGER told_{0} AFTER INSERT ON `{0}` FOR EACH ROW UPDATE told SET n = n + 1",
    "postgresql": "CREATE TRIGGER told_{0} AFTER INSERT ON {0} FOR EACH ROW EXECUTE FUNCTION told()",
}
FUNCTION = """CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN UPDATE told SET n = n + 1; RETURN NULL; END'"""


class Ledger:
    """Counts the rows that are inserted into a database's tables, and its bytes."""

    def __init__(self, url: str) -> None:
        self._engine = Database(url).engine()
        self._dialect = self._engine.dialect.name if "sqlite" in url or "postgres" in url else "mariadb"

    def begin(self) -> None:
        """From now on each inserted row is counted."""
        with self._engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE told (n BIGINT NOT NULL)"))
            connection.execute(sa.text("INSERT INTO told VALUES (0)"))
            if self._dialect == "postgresql":
                connection.exec_driver_sql(FUNCTION)
            for table in TABLES:
                connection.exec_driver_sql(TRIGGERS[self._dialect].format(table))

    def rows(self) -> int:
        """How many so far."""
        with self._engine.connect() as connection:
            return int(connection.execute(sa.text("SELECT n FROM told")).scalar_one())

    def megabytes(self) -> float:
        """What the database takes on the disk."""
        with self._engine.connect() as connection:
            return float(connection.execute(sa.text(SIZES[self._dialect])).scalar_one()) / 1e6

    def close(self) -> None:
        """Lets go of the database."""
        self._engine.dispose()


@contextmanager
def places() -> Iterator[dict[str, str]]:
    """An empty database of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        found = {"sqlite": f"sqlite:///{folder}/duly.db"}
        for kind in servers.KINDS:
            try:
                found[kind] = servers.fresh_url(kind, "suspension")
            except BaseException as error:  # noqa: BLE001 - pytest's own skip, where there is no server
                print(f"suspension: without {kind}: {error}", file=sys.stderr)
        yield found


async def measure(url: str, rounds: int) -> dict[str, Any]:
    """One task's life of so many suspensions."""
    migrate.upgrade(Database(url))
    with closing(Ledger(url)) as ledger:
        ledger.begin()
        seconds: list[float] = []
        processor: list[float] = []
        async with harness(duly, database_url=url) as field:
            task = await field.submit("naps", {"rounds": rounds})
            await field.run_until_idle()
            rows, megabytes = ledger.rows(), ledger.megabytes()
            for _ in range(rounds):
                wall, cpu = time.perf_counter(), time.process_time()
                await field.advance(60)
                seconds.append(time.perf_counter() - wall)
                processor.append(time.process_time() - cpu)
            await field.assert_completed(task.id)
            rows, megabytes = ledger.rows() - rows, ledger.megabytes() - megabytes
    return {
        "rows_per_suspension": round(rows / rounds, 2),
        "added_mb": round(megabytes, 2),
        **_wakes("ms", seconds),
        **_wakes("cpu_ms", processor),
    }


def _wakes(what: str, taken: list[float]) -> dict[str, float]:
    """The middle of the wakes around the tenth, and of the last."""
    tenth = statistics.median(taken[10 - AROUND : 10 + AROUND]) * 1000
    last = statistics.median(taken[-1 - 2 * AROUND : -1]) * 1000
    return {
        f"wake_10_{what}": round(tenth, 1),
        f"wake_{len(taken)}_{what}": round(last, 1),
        f"times_{what}": round(last / tenth, 2),
    }


def kept(one: dict[str, Any]) -> bool:
    """Whether it stays within the limits."""
    limits = {"rows_per_suspension": MOST_ROWS, "added_mb": MOST_MB, "times_ms": MOST_TIMES}
    return all(one[what] <= most for what, most in limits.items())


def main() -> int:
    """Measures each database that is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    rounds = parser.parse_args().rounds
    with places() as found:
        measured = {kind: asyncio.run(measure(url, rounds)) for kind, url in found.items()}
    print(json.dumps({"rounds": rounds, **measured}))
    return 0 if all(map(kept, measured.values())) else 1


if __name__ == "__main__":
    sys.exit(main())
