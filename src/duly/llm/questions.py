"""What a request to a provider holds: the messages, the model, and the options that a call gave.

`Client` sends it. Options that the SDK does not know go along as they are: many providers have their own.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from openai.resources.chat.completions import AsyncCompletions

from duly.llm import failures
from duly.llm.failures import RequestFailed
from duly.llm.providers import Provider
from duly.model.chat import ChatRequest

#: What no call may set in a request's body, for we do.
_OURS = frozenset({"messages", "model", "stream", "stream_options"})
#: What no call may set: a provider's settings say how long it is waited for.
_REFUSED = _OURS | {"timeout"}


def body(provider: Provider, request: ChatRequest) -> dict[str, Any]:
    """The arguments of the SDK's `create`.

    Raises:
        RequestFailed: the call has an option that is not its own to set.
    """
    words = _options(request.options, provider.extra_body)
    words["model"] = provider.model_for(request.model)
    words["messages"] = with_schema(request)
    if request.schema is not None and provider.json_mode == "object":
        words["response_format"] = {"type": "json_object"}
    elif request.schema is not None and provider.json_mode == "schema":
        form = {"name": "answer", "schema": dict(request.schema)}
        words["response_format"] = {"type": "json_schema", "json_schema": form}
    return words


def _options(given: Mapping[str, Any], of_provider: Mapping[str, Any]) -> dict[str, Any]:
    """A call's options as `create` takes them. What it does not know, a call's own `extra_body` and its
    provider's become one; a call's win."""
    own = given.get("extra_body") or {}
    if not isinstance(own, Mapping):
        raise _not_ours("extra_body is a table")
    refused = sorted((_REFUSED & given.keys()) | (_OURS & own.keys()))
    if refused:
        raise _not_ours(f"{', '.join(refused)}: no option of a call")
    known = _known()
    words = {name: value for name, value in given.items() if name in known}
    more = {name: value for name, value in given.items() if name not in known}
    if extra := {**of_provider, **more, **own}:
        words["extra_body"] = extra
    return words


def _not_ours(why: str) -> RequestFailed:
    return RequestFailed(failures.bad_question(why))


@cache
def _known() -> frozenset[str]:
    """The options that the SDK knows; of another one it raises before it sends anything."""
    return frozenset(inspect.signature(AsyncCompletions.create).parameters) - {"self"}


def with_schema(request: ChatRequest) -> list[dict[str, Any]]:
    """The messages; with a schema, after a first one that states it (DashScope wants the word JSON there)."""
    messages = [dict(one) for one in request.messages]
    if request.schema is None:
        return messages
    text = json.dumps(request.schema, ensure_ascii=False, sort_keys=True)
    asked = f"Answer with one JSON value and nothing else. It must fit this JSON schema: {text}"
    return [{"role": "system", "content": asked}, *messages]


def as_prompt(messages: Sequence[Mapping[str, Any]]) -> str:
    """All messages as one text, each under its role; a single one from a user as it stands."""
    texts = [as_text(one.get("content")) for one in messages]
    if len(messages) == 1 and messages[0].get("role") == "user":
        return texts[0]
    return "\n\n".join(f"[{one.get('role')}]\n{text}" for one, text in zip(messages, texts, strict=True))


def as_text(content: Any) -> str:
    """The content of a message as text."""
    return content if isinstance(content, str) else json.dumps(content or "", ensure_ascii=False)
