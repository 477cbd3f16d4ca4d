"""When a failed attempt is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.model.policy import RetryPolicy


def test_delays_double_from_two_seconds() -> None:
    """2, 4, 8 … seconds without jitter, and never more than the cap."""
    policy = RetryPolicy(jitter=0)
    assert [policy.delay_ms(retry) for retry in (1, 2, 3, 4, 8, 9, 50)] == [
        2_000,
        4_000,
        8_000,
        16_000,
        256_000,
        300_000,
        300_000,
    ]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_jitter_keeps_to_its_share(retry: int, roll: float) -> None:
    """Each delay is within a fifth of its nominal value, however often it was tried."""
    plain = RetryPolicy(jitter=0).delay_ms(retry)
    assert 0.8 * plain - 1 <= RetryPolicy().delay_ms(retry, roll) <= 1.2 * plain + 1


def test_the_die_is_thrown() -> None:
    """Tasks that failed together do not come back together."""
    assert len({RetryPolicy().delay_ms(1) for _ in range(50)}) > 10


@pytest.mark.parametrize(
    "values",
    [
        {"max_retries": -1},
        {"max_retries": 101},
        {"base": 0},
        {"base": -1},
        {"base": 10, "cap": 9},
        {"jitter": 1},
        {"jitter": -0.1},
    ],
    ids=str,
)
def test_a_policy_without_sense_is_refused(values: dict[str, float]) -> None:
    """When it is made, which is when the module is loaded."""
    with pytest.raises(ValueError, match=r"must be|needs"):
        RetryPolicy(**values)


def test_no_retries_is_a_policy() -> None:
    """Zero is allowed: one attempt and no more."""
    assert RetryPolicy(max_retries=0).max_retries == 0
