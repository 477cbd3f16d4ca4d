"""A database that cannot do it now: the caller is told when to come again, and is accepted then."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from site_under_test import Site, declared

from duly.config import Settings
from duly.runtime.app import App
from duly.store import sqlite
from support.tmpfs import fill, small_disk

#: Makes a file unusable, as long as the block lasts.
Harm = Callable[[Path], Any]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """By another program."""
    with closing(sqlite.connect(path, "WAL")) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full(path: Path) -> Iterator[None]:
    """By another program's files."""
    fill(path.parent)
    yield
    (path.parent / "filler").unlink()


@pytest.mark.parametrize("harm", [locked, full])
async def test_who_cannot_be_served_now_may_come_again(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: Harm
) -> None:
    """503 as a problem with Retry-After, not 500; nothing of it is kept, and later it is accepted."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", 100)
    with small_disk(tmp_path, 4) as disk:
        path = Path(shutil.copy(template / "duly.db", disk))
        app = App(Settings(database_url=f"sqlite:///{path}", log_level="error", reserve=0), declared())
        await app.start()
        async with Site(app).admin as client:
            body, headers = {"task_type": "echo"}, {"Idempotency-Key": "one"}
            with harm(path):
                refused = await client.post("/api/tasks", json=body, headers=headers)
            accepted = await client.post("/api/tasks", json=body, headers=headers)
        await app.stop()
    assert (refused.status_code, refused.json()["code"]) == (503, "not_ready")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"].isdigit()
    assert accepted.status_code == 202
    assert "idempotency-replayed" not in accepted.headers
