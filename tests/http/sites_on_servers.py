"""Several API processes' apps on one database, of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from site_under_test import Site, declared

from duly.clock import Clock
from duly.config import Settings
from duly.runtime.app import App
from support import servers

KINDS = [
    "wal",
    pytest.param("postgres", marks=pytest.mark.services),
    pytest.param("mariadb", marks=pytest.mark.services),
]


def address(kind: str, folder: Path) -> str:
    """An empty database of that kind."""
    if kind == "wal":
        return f"sqlite:///{folder / 'duly.db'}"
    url = servers.database_url(kind)
    servers.clear(url)
    return url


@asynccontextmanager
async def sites(
    kind: str, folder: Path, count: int = 2, *, clock: Clock | None = None, **settings: Any
) -> AsyncIterator[list[Site]]:
    """So many apps, each with its own connections, as processes have them; they share credentials."""
    url, apps = address(kind, folder), []
    for _ in range(count):
        chosen = Settings(
            database_url=url, token_file=str(folder / "duly.token"), log_level="error", **settings
        )
        app = App(chosen, declared(), clock=clock)
        await app.start()
        apps.append(app)
    try:
        yield [Site(app) for app in apps]
    finally:
        for app in apps:
            await app.stop()
