"""When a failed delivery is sent again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duly.deliver.schedule import DAY, SCHEDULE, delay_ms


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    """0 · 5 s · 5 min · 30 min · 2 h · 5 h · 10 h · 14 h · 20 h · 24 h, without jitter at the middle."""
    assert [delay_ms(number, roll=0.5) for number in range(1, 11)] == [
        *(1000 * seconds for seconds in SCHEDULE[1:]),
        None,
    ]


@given(st.integers(1, 9), st.floats(0, 1), st.none() | st.floats(0, 1e12))
def test_no_send_is_early_and_none_is_later_than_asked(
    number: int, roll: float, retry_after: float | None
) -> None:
    """Every delay lies within 10 % of the schedule, or is what the receiver asked for, a day at most."""
    delay = delay_ms(number, retry_after, roll)
    assert delay is not None
    asked = min(retry_after or 0.0, DAY)
    assert max(SCHEDULE[number] * 0.9, asked) * 1000 - 1 <= delay
    assert delay <= max(SCHEDULE[number] * 1.1, asked) * 1000 + 1
