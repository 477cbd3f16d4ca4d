"""What a handler did becomes an outcome, and an outcome becomes a transition: both as tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from duly import Fail, Retry, Snooze
from duly.execute.conclusion import conclude
from duly.execute.verdict import raised, returned
from duly.model.errors import InvalidInput, LeaseLost, ReplayMismatch
from duly.model.outcome import Completed, Failed, HandedBack, Outcome, Snoozed, Stopped
from duly.model.policy import RetryPolicy
from duly.model.task import Claimed

POLICY = RetryPolicy(max_retries=3, jitter=0)


def claimed(retry_count: int = 0, max_retries: int = 3) -> Claimed:
    return Claimed(
        id="t",
        attempt=7,
        task_type="demo",
        queue="default",
        tenant="",
        owner="",
        input="{}",
        timeout_ms=1000,
        deadline_at=None,
        retry_count=retry_count,
        max_retries=max_retries,
        metadata={},
    )


FAILED = Failed(code="c", message="m", traceback="t")
FINAL = Failed(code="c", message="m", retryable=False)
LATER = Failed(code="c", message="m", after_ms=9000)


@pytest.mark.parametrize(
    ("outcome", "retry_count", "expected"),
    [
        (
            Completed("1"),
            0,
            {"target": "completed", "event": "completed", "outcome": "completed", "result": "1"},
        ),
        (Snoozed(5, "r"), 0, {"target": "waiting", "wait_kind": "snooze", "delay_ms": 5, "charge": 0}),
        (Stopped(), 0, {"target": "cancelled", "event": "cancelled", "charge": 0}),
        (HandedBack("r"), 0, {"target": "pending", "event": "handed_back", "reason": "r", "charge": 0}),
        (FAILED, 0, {"target": "retry", "delay_ms": 2000, "charge": 1, "error_code": "c", "traceback": "t"}),
        (FAILED, 1, {"target": "retry", "delay_ms": 4000, "charge": 1}),
        (FAILED, 2, {"target": "retry", "delay_ms": 8000, "charge": 1}),
        (FAILED, 3, {"target": "failed", "exhausted": True, "charge": 0, "delay_ms": None}),
        (FINAL, 0, {"target": "failed", "exhausted": False, "error": "m"}),
        (FINAL, 3, {"target": "failed", "exhausted": False}),
        (LATER, 0, {"target": "retry", "delay_ms": 9000, "charge": 1}),
        (LATER, 3, {"target": "failed", "exhausted": True}),
    ],
)
def test_each_outcome_asks_for_one_transition(
    outcome: Outcome, retry_count: int, expected: dict[str, Any]
) -> None:
    """The table of outcomes: which state, which event, whether a retry is charged, and when it is due."""
    end = conclude(claimed(retry_count), outcome, POLICY)
    assert {key: getattr(end, key) for key in expected} == expected
    assert (end.id, end.attempt) == ("t", 7)


class Unspeakable(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def _strange(make: Callable[[], BaseException], **fields: Any) -> BaseException:
    error = make()
    for name, value in fields.items():
        setattr(error, name, value)
    return error


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (Fail("bad", "no"), "bad", False),
        (Retry("later", after=1.5, code="slow"), "slow", True),
        (ValueError("x"), "handler_error", True),
        (LeaseLost(), "lease_lost", False),
        (ReplayMismatch(), "replay_mismatch", False),
        (InvalidInput("x"), "invalid_input", False),
        (SystemExit(3), "handler_error", True),
        (KeyboardInterrupt(), "handler_error", True),
        (Unspeakable(), "handler_error", True),
        (Fail(404, "a number as code"), "404", False),  # type: ignore[arg-type]
        (Fail("a\x00b\ud800", "\ud800\x00"), "a\ufffdb?", False),
        (_strange(lambda: Retry("x"), after=float("nan")), "handler_error", True),
        (_strange(lambda: Retry("x"), after="soon"), "handler_error", True),
        (ExceptionGroup("g", [ValueError("x")]), "handler_error", True),
    ],
)
def test_whatever_a_handler_raises_is_an_outcome(error: BaseException, code: str, retryable: bool) -> None:
    """No exception, however strange, escapes; what is kept of it can be stored by every database."""
    outcome = raised(error)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == (code, retryable)
    text = f"{outcome.code}{outcome.message}{outcome.traceback or ''}"
    assert "\x00" not in text
    assert text.encode()


def test_an_endless_error_message_is_cut() -> None:
    """A message of a megabyte does not go into the task's row."""
    outcome = raised(ValueError("x" * 1_000_000))
    assert isinstance(outcome, Failed)
    assert len(outcome.message) <= 2000
    assert len(outcome.traceback or "") <= 20_000


def test_a_snooze_is_no_failure() -> None:
    """`Snooze` keeps its time and its reason."""
    assert raised(Snooze(1.5, "closed")) == Snoozed(1500, "closed")


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), object(), "\x00", "\ud800", 2**60, b"bytes"])
def test_a_result_that_is_not_json_fails_for_good(value: Any) -> None:
    """Another attempt would return the same again, so it is not retried; the message names the result."""
    outcome = returned(value)
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.retryable) == ("not_json", False)
    assert "the result" in outcome.message
