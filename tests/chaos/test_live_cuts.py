"""Readers of live streams are cut at random on two servers, and miss nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from support import servers as databases
from support.live_cuts import cut
from support.live_site import servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    "kind", ["sqlite", *(pytest.param(kind, marks=pytest.mark.services) for kind in databases.KINDS)]
)
async def test_a_reader_who_is_cut_misses_nothing(tmp_path: Path, kind: str) -> None:
    """Over SSE and WebSockets, on either of two servers of one database: every line, in order."""
    url = f"sqlite:///{tmp_path / 'duly.db'}" if kind == "sqlite" else databases.made_url(kind, "live")
    with servers(2, tmp_path, url) as both:
        await asyncio.gather(*(one.ready() for one in both))
        found = await cut(both, cuts=10, tasks=30, seed=1)
    assert (found["missing"], found["out_of_order"], found["resets"]) == (0, 0, found["readers"])
