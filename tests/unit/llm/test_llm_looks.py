"""Looks at the gates of a fleet over a slow line: one at a time, and as old as its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from duly.llm import providers
from duly.llm.shared import FRESH_SECONDS, Shared
from support.models import Heard


class Line:
    """A database whose reads are counted and answered by hand."""

    def __init__(self, answers: Callable[[], None] = lambda: None) -> None:
        self.reads = 0
        self.begun, self.open = asyncio.Semaphore(0), asyncio.Event()
        self._answers = answers

    async def read(self, *_: Any) -> list[Any]:
        """No gate was ever closed."""
        self.reads += 1
        self.begun.release()
        await self.open.wait()
        self._answers()
        return []


def gates(line: Line) -> Shared:
    """The gates of one process."""
    found, some = providers.read({"providers": {"main": {"base_url": "http://127.0.0.1:9", "model": "m"}}})
    return Shared(found, some, database=line, emit=Heard())  # type: ignore[arg-type]


async def test_one_look_serves_all_who_call_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with a look of its own would fill the readers' queue, for all other reads too."""
    now = [100.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])
    shared = gates(line := Line())
    calls = []
    for _ in range(20):
        calls.append(asyncio.create_task(shared.look()))
        await asyncio.sleep(0)
        now[0] += 2 * FRESH_SECONDS
    line.open.set()
    await asyncio.gather(*calls)
    assert line.reads == 1


async def test_a_look_is_as_old_as_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes longer than it serves would serve nobody."""
    now = [100.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])

    def late() -> None:
        now[0] += 1.8

    shared = gates(line := Line(late))
    line.open.set()
    for _ in range(3):
        await shared.look()
    assert line.reads == 1
    now[0] += FRESH_SECONDS
    await shared.look()
    assert line.reads == 2


async def test_who_must_be_sure_is_not_served_by_a_look_from_before() -> None:
    """What is under way may have read the row before it changed; the next one serves all who must be sure."""
    shared = gates(line := Line())
    first = asyncio.create_task(shared.look())
    await line.begun.acquire()
    sure = [asyncio.create_task(shared.look(again=True)) for _ in range(20)]
    await asyncio.sleep(0)
    line.open.set()
    await asyncio.gather(first, *sure)
    assert line.reads == 2


async def test_a_call_that_ends_takes_no_look_from_others() -> None:
    """Whose look was given up is made again by the next one."""
    shared = gates(line := Line())
    first, second = asyncio.create_task(shared.look()), asyncio.create_task(shared.look())
    await line.begun.acquire()
    first.cancel()
    await asyncio.wait([first])
    line.open.set()
    await second
    assert (first.cancelled(), line.reads) == (True, 2)
