"""A tender desk for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desks import Desk

from duly.testing import harness
from duly_apps.tender import duly


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk on a fresh database."""
    async with harness(duly, tmp_path) as inside:
        yield Desk(inside)
