"""The proof of gates (`make gates`) at a small size, so that it cannot rot; and that it can fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.gate_proof import Size, kept, most_in_a_minute, storm

FIGURES: dict[str, Any] = {
    "rpm_over": 0.0,
    "tpm_over": 0.01,
    "calls": 3000,
    "answered": 2999,
    "dead_most": 9,
    "charged": 0,
    "failed": 0,
    "recovered_s": 3.1,
    "why": "The model provider main is closed",
}


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_a_short_storm_charges_nobody(tmp_path: Path) -> None:
    """Four workers, eight seconds of nothing but 429: no retry, back within ten seconds, `why` knew."""
    figures = await storm(tmp_path / "storm", Size(storm=8))
    assert (figures["charged"], figures["failed"]) == (0, 0)
    assert figures["recovered_s"] <= 10
    assert "main" in figures["why"]


@pytest.mark.parametrize(
    "worse",
    [
        *({name: 0.021} for name in ("rpm_over", "tpm_over")),
        *({"answered": 2996}, {"dead_most": 10}, {"charged": 1}, {"failed": 1}),
        *({"recovered_s": 10.1}, {"why": ""}),
    ],
    ids=str,
)
def test_what_was_promised_is_asked_for(worse: dict[str, Any]) -> None:
    """Each figure alone makes it fail."""
    assert kept(FIGURES)
    assert not kept(FIGURES | worse)


def test_a_minute_begins_anywhere() -> None:
    """The most of any sixty seconds, not of those on the clock."""
    lines = [{"at": at, "tokens": 10} for at in (0, 50, 59, 61, 100, 110)]
    assert (most_in_a_minute(lines), most_in_a_minute(lines, "tokens")) == (4, 40)
