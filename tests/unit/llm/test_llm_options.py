"""Options of a call go to its provider, known or not; what cannot be sent fails the task only."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from duly.llm import providers
from duly.llm.client import Client
from duly.model.chat import ModelFailed
from support.models import desk, fake, question, quiet, table

ANSWER = {"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop", "index": 0}


async def sent(options: dict[str, Any], **provider: Any) -> dict[str, Any]:
    """The body of the request of a call with these options."""
    bodies: list[dict[str, Any]] = []

    async def send(request: httpx2.Request, **_: Any) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        body = {"id": "1", "object": "chat.completion", "model": "m", "choices": [ANSWER]}
        return httpx2.Response(200, json=body, request=request)

    words = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "stream": False, **provider}
    client = Client(providers.Provider(**words), "key")
    client._http.send = send  # type: ignore[method-assign,assignment]
    try:
        await client.ask(question(options=options), 5, quiet)
    finally:
        await client.close()
    return bodies[0]


async def test_an_option_that_the_sdk_does_not_know_is_sent() -> None:
    """Beside those that it knows: many providers have their own."""
    body = await sent({"top_k": 20, "temperature": 0.5, "enable_search": True})
    assert (body["top_k"], body["temperature"], body["enable_search"]) == (20, 0.5, True)


async def test_extra_bodies_are_one() -> None:
    """A provider's and a call's own, which wins."""
    of_provider = {"top_k": 1, "seed": 1, "plain": 1}
    body = await sent({"top_k": 2, "extra_body": {"seed": 3}}, extra_body=of_provider)
    assert (body["top_k"], body["seed"], body["plain"]) == (2, 3, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"stream": True},
        {"timeout": 5},
        {"stream_options": {}},
        {"messages": []},
        {"extra_body": {"model": "other"}},
        {"extra_body": 3},
        {"metadata": {"a": object()}},
        {"top_k": float("nan")},
        {"extra_headers": {"x-a": 3}},
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_an_option_that_cannot_be_sent_is_no_failure_of_the_provider(
    options: dict[str, Any], stream: bool
) -> None:
    """It fails for good, before anybody was asked; the provider stays open."""
    async with fake() as server, desk(table(server, stream=stream, llm={"failures": 1})) as one:
        with pytest.raises(ModelFailed, match="question cannot be sent") as caught:
            await one(question(options=options), quiet)
        assert (caught.value.code, server.book.number) == ("bad_question", 0)
        assert (await one(question(), quiet)).finish_reason == "stop"
