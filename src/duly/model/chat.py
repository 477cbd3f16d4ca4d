"""A question to a model and its answer, as a handler, a worker and a provider pass them on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from duly.model.errors import DulyError

#: Who hears the text of an answer while it grows.
Told = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What is asked, and for whom. `messages` as OpenAI writes them; `options` go to the provider as they
    are (temperature, max_tokens …)."""

    messages: Sequence[Mapping[str, Any]]
    #: A provider's name, a model's, or empty: whoever the router chooses, with its own model.
    model: str = ""
    #: Timeouts are set by it.
    task_type: str = ""
    task_id: str = ""
    #: As which step its answer is remembered, and the id of its prompt.
    step: str = ""
    n: int = 1
    prompt: str = ""
    #: Whose budgets it is charged to.
    tenant: str = ""
    owner: str = ""
    #: The JSON schema that the answer shall fit.
    schema: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    #: Seconds that all tries together may take: the attempt's own limit.
    seconds: float = 600
    #: Whether an answer shall be told while it grows.
    streams: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the provider counted them."""

    prompt_tokens: int
    completion_tokens: int
    #: Of those of the prompt; None: that was not said.
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """What a model answered. `usage` and `cost` are None where they are not known, never 0 then."""

    text: str
    finish_reason: str
    provider: str
    model: str
    usage: Usage | None = None
    #: {amount, currency, as_of}: by the prices that the configuration states.
    cost: Mapping[str, Any] | None = None
    request_id: str | None = None
    #: Requests that were made for it, this one included.
    tries: int = 1
    duration_ms: float = 0

    @property
    def words(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """An answer as the ledger knows it: which step it is the answer of, and what it cost."""

    step: str
    n: int
    prompt: str
    answer: ChatAnswer


class Messages(list[dict[str, Any]]):
    """The messages that a prompt's file became, and which one that was."""

    def __init__(self, messages: Sequence[Mapping[str, Any]], prompt: str) -> None:
        super().__init__(dict(one) for one in messages)
        #: Its id, version and digest.
        self.prompt = prompt


#: Asks a model: what `ctx.llm` is given by the worker.
Models = Callable[[ChatRequest, Told], Awaitable[ChatAnswer]]


class ModelFailed(DulyError):
    """A model call failed for good; the message says at which provider and why."""

    code = "model_failed"


class BudgetExceeded(ModelFailed):
    """A budget for model calls is used up: nothing more is asked."""

    code = "budget_exceeded"


class ModelAway(DulyError):
    """No provider has answered in time; the task is tried again."""

    code = "model_away"

    def __init__(self, message: str = "", *, code: str | None = None, after: float | None = None) -> None:
        super().__init__(message, code=code)
        #: Seconds until another try makes sense; None: as the task's policy says.
        self.after = after


class ModelPaused(DulyError):
    """Each provider that could answer is paused; the task waits and is charged nothing."""

    code = "model_paused"

    def __init__(self, message: str = "", *, after: float = 1, gates: Sequence[str] = ()) -> None:
        super().__init__(message)
        #: Seconds until the first of them may be asked again; which gates are closed.
        self.after, self.gates = after, tuple(gates)


async def no_models(request: ChatRequest, told: Told) -> ChatAnswer:
    """Refuses, where no provider is configured."""
    del request, told
    raise ModelFailed("no model provider is configured: add [llm] to duly.toml", code="no_provider")
