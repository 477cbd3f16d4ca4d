"""Fixtures of the walks: a server of its own, a browser, a page in each language, light and width."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.browsing import WALKS, Server, chromium, context, needed
from support.serving import serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """What the pages are served by."""
    needed()
    folder = tmp_path_factory.mktemp("shell")
    with serving(folder, "stories:duly", Path(__file__).parent, LANG="C.UTF-8") as (url, token):
        yield Server(f"{url}/", token)


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[Any]:
    """Chromium, without a window."""
    with chromium() as one:
        yield one


@pytest.fixture(params=WALKS, ids=lambda walk: "-".join(map(str, walk)))
def page(request: pytest.FixtureRequest, browser: Any, server: Server) -> Iterator[Any]:
    """A new browser's first page."""
    with context(browser, server, request.param) as one:
        yield one.new_page()
