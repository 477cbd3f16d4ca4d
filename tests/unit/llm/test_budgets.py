"""Which budgets a call is charged to, and what a wrong one says."""

from __future__ import annotations

import pytest

from duly.config import SettingsError
from duly.llm.budgets import Budget, those
from duly.llm.providers import read, warnings
from duly.model.chat import BudgetExceeded, ChatRequest
from duly.store.ledger import NANOS, Spent

ANN = ChatRequest(messages=[], tenant="acme", owner="ann", task_type="bidding", task_id="t-1")
ALL = Budget(of="owner", tokens=100)
HERS = Budget(of="owner", name="ann", tokens=200)
HERS_THERE = Budget(of="owner", name="ann", tenant="acme", tokens=300)


@pytest.mark.parametrize(
    ("budgets", "expected"),
    [
        ([ALL], [ALL]),
        ([HERS, ALL], [HERS]),
        ([HERS_THERE, ALL, HERS], [HERS_THERE]),
        ([Budget(of="owner", name="bob", tokens=1)], []),
        ([ALL, Budget(of="owner", tokens=9, per="day")], [ALL, Budget(of="owner", tokens=9, per="day")]),
        ([Budget(of="task", name="bidding", tokens=5)], [Budget(of="task", name="bidding", tokens=5)]),
        ([Budget(of="tenant", name="other", tokens=5)], []),
    ],
    ids=["all", "hers", "hers there", "another's", "two times", "type", "other tenant"],
)
def test_the_narrowest_of_a_kind_holds(budgets: list[Budget], expected: list[Budget]) -> None:
    """One that names the owner stands in place of what holds for all; other kinds hold beside it."""
    assert those(budgets, ANN) == expected


@pytest.mark.parametrize(
    ("budget", "tokens", "nanos", "told"),
    [
        (ALL, 100, {}, "owner ann: 100 of 100 tokens / month"),
        (ALL, 99, {}, None),
        (Budget(of="task", tokens=0), 0, {}, "task t-1: 0 of 0 tokens"),
        (Budget(of="tenant", cost=0.5, currency="CNY", per="day"), 0, {"CNY": NANOS}, None),
        (Budget(of="tenant", cost=0.5, currency="USD"), 0, {"CNY": NANOS}, None),
    ],
    ids=["used up", "not yet", "none at all", "money", "other currency"],
)
def test_a_used_up_budget_refuses(
    budget: Budget, tokens: int, nanos: dict[str, int], told: str | None
) -> None:
    """It says what was used of what; another currency does not count."""
    if budget.currency == "CNY":
        told = "tenant acme: 1 of 0.5 CNY / day"
    if told is None:
        budget.check(ANN, Spent(tokens=tokens, nanos=nanos))
        return
    with pytest.raises(BudgetExceeded, match=f"^{told}$") as caught:
        budget.check(ANN, Spent(tokens=tokens, nanos=nanos))
    assert caught.value.code == "budget_exceeded"


@pytest.mark.parametrize(
    "words",
    [
        {"of": "owner"},
        {"of": "owner", "tokens": 1, "cost": 1, "currency": "CNY"},
        {"of": "owner", "cost": 1},
        {"of": "owner", "tokens": 1, "currency": "CNY"},
        {"of": "owner", "cost": 1, "currency": "yuan"},
        {"of": "queue", "tokens": 1},
        {"of": "tenant", "tenant": "acme", "tokens": 1},
        {"of": "owner", "tokens": -1},
        {"of": "owner", "tokens": 1, "per": "week"},
    ],
    ids=["nothing", "both", "no currency", "currency", "word", "of", "tenant", "negative", "per"],
)
def test_a_wrong_budget_is_a_wrong_setting(words: dict[str, object]) -> None:
    """Said at the start, with its place."""
    with pytest.raises(SettingsError, match=r"^llm\.budget\.0"):
        read({"budget": [words]})


def test_a_model_without_a_price_is_warned_of() -> None:
    """Its calls count for no budget in money."""
    price = {"prompt": 1, "completion": 2, "currency": "CNY", "as_of": "2026-11-01"}
    provider = {"base_url": "http://x", "model": "priced", "models": ["free"], "prices": {"priced": price}}
    budget = [{"of": "owner", "cost": 1, "currency": "CNY"}]
    (line,) = warnings(*read({"budget": budget, "providers": {"main": provider}}))
    assert "free has no price in CNY" in line
