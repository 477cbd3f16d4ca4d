"""A started app with its API: over ASGI for single answers, streamed by hand for live ones."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from site_under_test import MakeSite, Site, declared

from duly.clock import Clock
from duly.config import Settings
from duly.runtime.app import App


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty database and its credentials, made once and copied for each test."""
    import asyncio

    folder = tmp_path_factory.mktemp("template")

    async def make() -> None:
        app = App(_settings(folder), declared())
        await app.start()
        await app.stop()

    asyncio.run(make())
    return folder


def _settings(folder: Path, **values: Any) -> Settings:
    return Settings(database_url=f"sqlite:///{folder / 'duly.db'}", log_level="error", **values)


@pytest.fixture
async def make_site(template: Path, tmp_path: Path) -> AsyncIterator[MakeSite]:
    """Starts an app on a fresh database: `await make_site(body_limit=4096)`; stopped after the test."""
    sites: list[Site] = []

    async def make(*, api: dict[str, Any] | None = None, clock: Clock | None = None, **settings: Any) -> Site:
        folder = tmp_path / f"site{len(sites)}"
        shutil.copytree(template, folder)
        app = App(_settings(folder, **settings), declared(), clock=clock)
        await app.start()
        sites.append(Site(app, **(api or {})))
        return sites[-1]

    yield make
    for site in sites:
        site.api.state.stopping.set()
        await site.app.stop()


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    """An app with the default settings."""
    return await make_site()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One app for a whole table of requests that change nothing; its tests share its loop."""
    folder = tmp_path_factory.mktemp("shared") / "site"
    shutil.copytree(template, folder)
    app = App(_settings(folder, body_limit=65_536), declared())
    await app.start()
    yield Site(app)
    await app.stop()
