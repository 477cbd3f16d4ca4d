"""What a call cost: by the prices of the configuration, else, where that is asked for, by genai-prices.

A price or a usage that is not known makes a cost that is not known: None, never 0.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from duly.llm.providers import Provider
from duly.model.chat import Usage


def cost(provider: Provider, models: tuple[str, ...], usage: Usage | None, *, look_up: bool) -> Any:
    """{amount, currency, as_of} of the first of these names of the model that has a price, or None."""
    for model in models:
        if (known := provider.cost(model, usage)) is not None:
            return known
    if not look_up or usage is None:
        return None
    for model in models:
        if (known := _looked_up(provider, model, usage)) is not None:
            return known
    return None


def _looked_up(provider: Provider, model: str, usage: Usage) -> dict[str, Any] | None:
    """By the table that genai-prices brings; it asks nobody."""
    try:
        from genai_prices import Usage as Counted
        from genai_prices import calc_price
    except ImportError:
        return None
    counted = Counted(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        cache_read_tokens=usage.cached_tokens or None,
    )
    try:
        found = calc_price(counted, model, provider_api_url=provider.base_url)
    except (LookupError, ValueError):
        return None
    as_of = f"genai-prices {version('genai-prices')}"
    return {"amount": round(float(found.total_price), 9), "currency": "USD", "as_of": as_of}
