"""Steps of waiting for a socket, with an end: what is there late is taken, what never comes is not."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from duly.store import network
from duly.store.network import NoAnswer, timely


class Clock:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        patch.setattr(network.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def steps() -> Generator[str, int, str]:
    """Wants to write, then to read, as psycopg's do; asks again while nothing is ready."""
    while not (yield "write"):
        pass
    while not (yield "read"):
        pass
    return "rows"


def test_an_answer_in_time_is_the_answer(clock: Clock) -> None:
    """What is wanted is passed on, and so is what is ready."""
    one = timely(steps(), 5.0)
    assert [next(one), one.send(1), one.send(0)] == ["write", "read", "read"]
    clock.now += 4.9
    assert one.send(0) == "read"
    with pytest.raises(StopIteration) as end:
        one.send(1)
    assert end.value.value == "rows"


def test_no_answer_in_time_is_an_error(clock: Clock) -> None:
    """After one more look than the clock would have it."""
    one = timely(steps(), 5.0)
    assert next(one) == "write"
    clock.now += 5.0
    assert one.send(0) == "write"
    with pytest.raises(NoAnswer):
        one.send(0)


def test_an_answer_that_came_while_nobody_could_look_is_taken(clock: Clock) -> None:
    """A handler may hold the interpreter for longer than an answer may take."""
    one = timely(steps(), 5.0)
    assert [next(one), one.send(1)] == ["write", "read"]
    clock.now += 60.0
    assert one.send(0) == "read"
    with pytest.raises(StopIteration):
        one.send(1)
