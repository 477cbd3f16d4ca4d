"""The beat of a process's followers: how often it looks."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from duly.deliver import beat
from duly.deliver.beat import POLL_SECONDS, Beat


@pytest.mark.parametrize(("took", "rest"), [(0.125, 0.375), (10.0, POLL_SECONDS)])
async def test_the_rest_after_a_look_is_never_longer_than_a_poll(
    monkeypatch: pytest.MonkeyPatch, took: float, rest: float
) -> None:
    """Over a slow line a look waits more than it works: followers hear no later for that."""
    rests, rested, at = list[float](), asyncio.Event(), 0.0

    async def look() -> None:
        nonlocal at
        at += took

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        rested.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: at)
    monkeypatch.setattr(beat, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    database = SimpleNamespace(subscribe=lambda _: lambda: None)
    one = Beat(database, look, lambda _: None)  # type: ignore[arg-type]
    one.start()
    await rested.wait()
    one.stop()
    assert rests == [rest]
