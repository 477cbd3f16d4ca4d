"""`duly usage`: a table for people, JSON for programs, at the database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import Shell

from duly.clock import SystemClock
from duly.store import ledger
from duly.store.database import Database
from duly.store.ledger import Entry

Submit = Callable[..., dict[str, Any]]


@pytest.fixture
def spent(shell: Shell, submit: Submit, folder: Path) -> None:
    """Two calls of ann's, one of them without a price, and one of bob's in another currency."""
    submit("greet", "name=Ann")
    words = {"step": "s", "attempt": 1, "tenant": "", "task_type": "demo", "provider": "p", "model": "m"}
    words |= {"prompt": "x", "prompt_tokens": 100, "completion_tokens": 20}
    calls = [
        Entry(task_id="t", n=1, owner="ann", cost_nanos=1_500_000, currency="CNY", **words),
        Entry(task_id="t", n=2, owner="ann", **words),
        Entry(task_id="u", n=1, owner="bob", cost_nanos=2_000_000, currency="USD", **words),
    ]
    database = Database(f"sqlite:///{folder / 'duly.db'}", clock=SystemClock())
    database.open()
    database.write_blocking(ledger.enter, calls)
    database.close()


def test_a_table_for_people(shell: Shell, spent: None) -> None:
    """Currencies in rows of their own, and a dash for what is not known."""
    lines = [line.split() for line in shell("usage", "--by", "owner").out.splitlines()]
    assert lines == [
        ["owner", "calls", "tokens", "in", "tokens", "out", "cost"],
        ["ann", "1", "100", "20", "–"],
        ["ann", "1", "100", "20", "0.001500", "CNY"],
        ["bob", "1", "100", "20", "0.002000", "USD"],
    ]
    assert "费用" in shell("usage", "--lang", "zh").out


def test_json_for_programs(shell: Shell, spent: None) -> None:
    """As the API answers."""
    found = shell("usage", "--by", "owner", "--owner", "bob", "--json").json
    assert (found["by"], found["more"]) == (["owner"], False)
    assert [(row["owner"], row["cost"], row["currency"]) for row in found["rows"]] == [("bob", 0.002, "USD")]


def test_nothing_was_paid(shell: Shell, submit: Submit) -> None:
    """In words."""
    submit("greet", "name=Ann")
    assert shell("usage").out.strip() == "No model call was paid for."


@pytest.mark.parametrize("words", [["--by", "colour"], ["--since", "yesterday"]], ids=["word", "day"])
def test_a_wrong_question_is_one_line(shell: Shell, submit: Submit, words: list[str]) -> None:
    """With exit code 2."""
    submit("greet", "name=Ann")
    said = shell("usage", *words)
    assert (said.code, len(said.problems)) == (2, 1)
