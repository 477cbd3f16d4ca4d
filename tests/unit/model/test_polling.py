"""How often an external job is polled, and which answers say that it is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from duly import InvalidInput, Polling
from duly.execute.tracking import has_ended


def test_polls_grow_rarer_up_to_the_cap() -> None:
    """By half with each, without a jitter."""
    polling = Polling(jitter=0)
    assert [polling.delay_ms(polls, 0.5) for polls in range(4)] == [10_000, 15_000, 22_500, 33_750]
    assert [polling.delay_ms(polls, 0.5) for polls in (9, 10_000)] == [300_000, 300_000]


def test_the_jitter_goes_both_ways_and_not_above_the_cap() -> None:
    """A tenth at most."""
    polling = Polling()
    assert [polling.delay_ms(0, roll) for roll in (0, 0.5, 1)] == [9_000, 10_000, 11_000]
    assert polling.delay_ms(100, 1) == 300_000


@pytest.mark.parametrize("interval", [7, 7.0, timedelta(seconds=7), Polling(interval=7)])
def test_an_interval_is_said_in_many_ways(interval: Any) -> None:
    """Seconds, a length of time, a whole rhythm."""
    assert Polling.of(interval).interval == 7


def test_an_interval_above_the_usual_cap_stays_as_it_is() -> None:
    """Once an hour is once an hour."""
    assert Polling.of(timedelta(hours=1)).delay_ms(5, 0.5) == 3_600_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval": 0},
        {"interval": 10, "cap": 5},
        {"interval": float("nan")},
        {"growth": 0.5},
        {"growth": 1e9},
        {"jitter": 1},
        {"patience": -1},
    ],
)
def test_a_rhythm_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    """When it is made."""
    with pytest.raises(InvalidInput):
        Polling(**wrong)


@pytest.mark.parametrize("word", ["succeeded", "FAILED", "Canceled", "done", "expired"])
def test_a_status_says_that_a_job_is_over(word: str) -> None:
    """However it ended; `state` is as good."""
    assert has_ended({"status": word})
    assert has_ended({"state": word})
    assert not has_ended({"status": "running", "state": word})


@pytest.mark.parametrize("word", ["running", "queued", "in_progress", ""])
def test_any_other_status_does_not(word: str) -> None:
    """An unknown word is one on the way."""
    assert not has_ended({"status": word})


@pytest.mark.parametrize("answer", [None, "done", [], {}, {"status": 7}, {"done": True}])
def test_an_answer_of_another_shape_cannot_be_judged(answer: Any) -> None:
    """The error says what to do."""
    with pytest.raises(InvalidInput, match="final"):
        has_ended(answer)
