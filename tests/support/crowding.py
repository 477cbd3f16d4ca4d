"""Processes that submit to one database until it is sealed, and write down each id that was acknowledged.

`python -m support.crowding URL FILE`: several threads, one line for each accepted task.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from duly.model.errors import Moved, NotReady
from duly.store.database import Database
from duly.store.submissions import submit
from support.stores import submission

THREADS = 4


def start(url: str, acknowledged: Path) -> subprocess.Popen[bytes]:
    """Begins to submit in a process of its own."""
    acknowledged.touch()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-m", "support.crowding", url, str(acknowledged)], env=environment
    )


def _submit(database: Database, acknowledged: int) -> None:
    while True:
        one = submission(input='{"n": 1}', tags=("crowd",))
        try:
            [accepted] = database.write_blocking(submit, [one])
        except Moved:
            return
        except NotReady:
            continue
        os.write(acknowledged, f"{accepted.id}\n".encode())


def main(url: str, file: str) -> None:
    """Submits until the database is sealed."""
    database = Database(url)
    database.open()
    acknowledged = os.open(file, os.O_WRONLY | os.O_APPEND)
    threads = [threading.Thread(target=_submit, args=(database, acknowledged)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
