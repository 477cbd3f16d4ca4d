"""A database that is away for longer than a try may take: who waits behind it is told with the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from duly.store import writer
from duly.store.driver import Trouble
from duly.store.writer import Call, Writer


class Gone:
    """A connection to a database that is away; each try is noticed only after a while."""

    def __init__(self) -> None:
        self.tries = 0
        self.asked, self.go_on = threading.Event(), threading.Event()

    def begin(self) -> Any:
        self.tries += 1
        self.asked.set()
        assert self.go_on.wait(10)
        raise ConnectionError("no answer")

    def trouble(self, error: BaseException) -> Trouble:
        return Trouble.LOST

    def close(self) -> None: ...

    def rollback(self) -> None: ...

    def commit(self) -> None: ...

    def foreign_commits(self) -> None:
        return None


def verb(tx: Any, items: Sequence[Any]) -> Sequence[Any]:
    return items


async def test_all_who_wait_are_told_that_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """One try that takes too long is one for all: whoever came meanwhile does not begin to wait anew."""
    monkeypatch.setattr(writer, "AWAY_SECONDS", 0.0)
    gone, said = Gone(), list[str]()
    one = Writer(
        lambda: gone,
        emit=lambda name, /, **fields: said.append(name),
        committed=lambda verbs, news: None,
        seen=lambda: None,
        look_every=1.0,
    )
    one.start()
    loop = asyncio.get_running_loop()
    calls = [Call(verb, [n], 0, False, loop.create_future(), loop) for n in range(4)]
    one.submit(calls[:1])
    await asyncio.to_thread(gone.asked.wait, 10)
    one.submit(calls[1:])
    gone.go_on.set()
    told = await asyncio.gather(*(call.future for call in calls), return_exceptions=True)  # type: ignore[arg-type]
    assert [type(error) for error in told] == [ConnectionError] * 4
    assert gone.tries == 1
    await asyncio.to_thread(one.close)
