"""Which providers there are: the table `llm` of `duly.toml`, one table for each below `llm.providers`.

Keys are never written there: `key_env` names the variable that holds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from duly.config import SettingsError
from duly.llm.budgets import Budget
from duly.model.chat import Usage

#: The longest that a call may take whose configuration says 0, for ever: a day.
FOR_EVER = 86_400.0
#: The longest name of a provider.
NAME_LIMIT = 100


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())


class Price(_Table):
    """What a million tokens cost, since when, in which currency."""

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)
    cached: float | None = Field(None, ge=0)
    currency: str = Field(min_length=3, max_length=3)
    as_of: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")


class Provider(_Table):
    """One place that answers. Durations in seconds; 0 is for ever, which is warned of."""

    name: str = ""
    #: chat: OpenAI's chat completions. bailian_app: an app of Alibaba's Bailian. offline: rules, no model.
    kind: Literal["chat", "bailian_app", "offline"] = "chat"
    base_url: str = ""
    key_env: str = ""
    #: The model that is asked for when a call names none; and those that it may name.
    model: str = ""
    models: tuple[str, ...] = ()
    timeout: float = Field(90, ge=0)
    #: Of some task types.
    timeouts: Mapping[str, float] = Field(default_factory=dict)
    #: The longest before the first piece of an answer that streams, and between two.
    idle: float = Field(60, gt=0)
    #: Its share of the calls beside others of the same order; a higher order is a fallback.
    weight: float = Field(1, gt=0)
    order: int = Field(0, ge=0)
    concurrency: int = Field(16, ge=1, le=10_000)
    rpm: int | None = Field(None, ge=1)
    tpm: int | None = Field(None, ge=1)
    #: Whether its `insufficient_quota` is a limit per minute, no unpaid account; None: its address decides.
    quota_per_minute: bool | None = None
    #: This one's proxy; those of the environment are not read.
    proxy: str = ""
    headers: Mapping[str, str] = Field(default_factory=dict)
    extra_body: Mapping[str, Any] = Field(default_factory=dict)
    stream: bool = True
    #: How it is told that an answer shall be JSON.
    json_mode: Literal["schema", "object", "none"] = "object"
    prices: Mapping[str, Price] = Field(default_factory=dict)

    @field_validator("timeouts")
    @classmethod
    def _spans(cls, given: Mapping[str, float]) -> Mapping[str, float]:
        if any(not 0 <= seconds <= FOR_EVER for seconds in given.values()):
            raise ValueError("a timeout is 0 (for ever) to 86400 seconds")
        return given

    @property
    def counts_by_minute(self) -> bool:
        """Whether its `insufficient_quota` is over within a minute: at DashScope, and where that is said."""
        if self.quota_per_minute is not None:
            return self.quota_per_minute
        return "dashscope" in self.base_url or self.kind == "bailian_app"

    def serves(self, model: str) -> bool:
        """Whether a call that names this may go here."""
        return model in ("", self.name, self.model) or model in self.models

    def model_for(self, asked: str) -> str:
        """The model that is asked for in the request."""
        return self.model if asked in ("", self.name) else asked

    def seconds(self, task_type: str) -> float:
        """The longest that one request of this task type may take."""
        return self.timeouts.get(task_type, self.timeout) or FOR_EVER

    def is_priced(self, model: str, currency: str) -> bool:
        """Whether what this model costs is known in this currency; what is offline costs nothing."""
        price = self.prices.get(model)
        return self.kind == "offline" or (price is not None and price.currency == currency)

    def cost(self, model: str, usage: Usage | None) -> dict[str, Any] | None:
        """What a call cost, or None where the price or the usage is not known."""
        price = self.prices.get(model)
        if price is None or usage is None:
            return None
        cached = (usage.cached_tokens or 0) if price.cached is not None else 0
        amount = (usage.prompt_tokens - cached) * price.prompt + cached * (price.cached or 0)
        amount += usage.completion_tokens * price.completion
        return {"amount": round(amount / 1e6, 9), "currency": price.currency, "as_of": price.as_of}


class LlmTable(_Table):
    """All of the table `llm`."""

    #: Requests that one call makes at most, and seconds before the second; they double.
    tries: int = Field(4, ge=1, le=10)
    backoff: float = Field(0.5, ge=0, le=60)
    #: Seconds that a provider is left alone after so many failures in a row, doubled each time.
    failures: int = Field(3, ge=1)
    cooldown: float = Field(5, gt=0)
    longest_cooldown: float = Field(300, gt=0)
    providers: Mapping[str, Provider] = Field(default_factory=dict)
    budget: tuple[Budget, ...] = ()
    #: Whether a price that is not configured is taken from genai-prices (extra `prices`).
    price_lookup: bool = False
    #: Whether prompts and answers stand in the log.
    log_texts: bool = False


def read(table: Mapping[str, Any]) -> tuple[LlmTable, list[Provider]]:
    """The table, and its providers with their names.

    Raises:
        SettingsError: what is wrong with it, all at once.
    """
    try:
        found = LlmTable.model_validate(dict(table))
    except ValidationError as error:
        raise SettingsError(
            [f"llm.{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        ) from None
    providers = [one.model_copy(update={"name": name}) for name, one in found.providers.items()]
    problems = [
        f"llm.providers.{one.name}: base_url must be http(s)://…, not {one.base_url!r}"
        for one in providers
        if one.kind != "offline" and not one.base_url.startswith(("http://", "https://"))
    ]
    problems += [
        f"llm.providers: the name {one.name[:20]!r}… has more than {NAME_LIMIT} characters"
        for one in providers
        if len(one.name) > NAME_LIMIT
    ]
    if problems:
        raise SettingsError(problems)
    return found, providers


def warnings(table: LlmTable, providers: list[Provider]) -> list[str]:
    """What is allowed and not advised."""
    told = [
        f"provider {one.name}: a timeout of 0 waits for ever (a day at most)"
        for one in providers
        if one.timeout == 0 or 0 in one.timeouts.values()
    ]
    currencies = sorted({one.currency for one in table.budget if one.currency})
    told += [
        f"provider {one.name}: {model} has no price in {currency}; its calls count for no budget in it"
        for currency in currencies
        for one in providers
        for model in dict.fromkeys(filter(None, (one.model, *one.models)))
        if not (table.price_lookup and currency == "USD") and not one.is_priced(model, currency)
    ]
    if table.log_texts:
        told.append("log_texts: prompts and answers stand in the log")
    if table.price_lookup and find_spec("genai_prices") is None:
        told.append("price_lookup: pip install 'duly[prices]'; until then prices are those configured")
    return told
