"""What a call cost: configured prices first, then those of genai-prices where that is asked for."""

from __future__ import annotations

import pytest

from duly.llm.pricing import cost
from duly.llm.providers import Provider
from duly.model.chat import Usage

USED = Usage(prompt_tokens=1000, completion_tokens=100)
PRICE = {"prompt": 2.5, "completion": 10, "currency": "CNY", "as_of": "2026-11-01"}
OPENAI = "https://api.openai.com/v1"


def provider(url: str = OPENAI, **prices: dict[str, object]) -> Provider:
    """A provider at this address."""
    return Provider.model_validate({"name": "main", "base_url": url, "prices": prices})


def test_a_configured_price_is_the_price() -> None:
    """With its currency and its date, whatever a look-up would say."""
    found = cost(provider(**{"gpt-4o-mini": PRICE}), ("gpt-4o-mini",), USED, look_up=True)
    assert found == {"amount": 0.0035, "currency": "CNY", "as_of": "2026-11-01"}


def test_the_name_that_was_asked_for_prices_too() -> None:
    """A provider may answer under a longer name."""
    found = cost(provider(m=PRICE), ("m-2026-11", "m"), USED, look_up=False)
    assert found["amount"] == 0.0035


def test_a_look_up_is_asked_for() -> None:
    """It says who says so; without the setting nothing is looked up."""
    assert cost(provider(), ("gpt-4o-mini",), USED, look_up=False) is None
    found = cost(provider(), ("gpt-4o-mini",), USED, look_up=True)
    assert (found["amount"], found["currency"]) == (0.00021, "USD")
    assert found["as_of"].startswith("genai-prices ")


@pytest.mark.parametrize(
    ("url", "model", "used"),
    [
        (OPENAI, "no-such-model", USED),
        ("http://127.0.0.1:9/v1", "gpt-4o-mini", USED),
        (OPENAI, "gpt-4o-mini", None),
    ],
    ids=["model", "provider", "usage"],
)
def test_what_is_not_known_is_none(url: str, model: str, used: Usage | None) -> None:
    """Never 0."""
    assert cost(provider(url), (model,), used, look_up=True) is None
