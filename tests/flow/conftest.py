"""The tutorial runs on each database; after each flow the invariants hold in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from duly import testing
from support import invariants, servers

DATABASES = ["sqlite", *(pytest.param(kind, marks=pytest.mark.services) for kind in servers.KINDS)]


@pytest.fixture(autouse=True, params=DATABASES)
def on(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Where `harness_fixture` keeps everything: in the folder of the test, or on a server, emptied."""
    if request.param == "sqlite":
        yield
        invariants.check_folder(tmp_path)
        return
    url = servers.database_url(request.param)
    servers.clear(url)
    monkeypatch.setattr(testing, "database_url", lambda _: url)
    yield
    invariants.check_by(servers.standing(url))
