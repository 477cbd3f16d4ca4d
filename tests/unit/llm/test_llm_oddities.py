"""What providers send that no standard knows: paid for, so it is read, mended, or said to be missing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from duly.llm import providers
from duly.llm.client import Client
from duly.llm.desk import Desk
from duly.llm.fake.server import FakeServer, Reply
from duly.model.chat import ModelFailed, Usage
from support.models import desk, fake, question, quiet, table

HIGH, LOW = "\ud83d", "\ude00"
NONE_OF_IT = Usage(prompt_tokens=3, completion_tokens=4)


def piece(content: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One event of a stream."""
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


def whole(content: Any, **more: Any) -> dict[str, Any]:
    """An answer that does not stream."""
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice], **more}


async def asked(
    *events: dict[str, Any], told: Callable[[str], Awaitable[None]] = quiet, kind: str = "chat"
) -> Any:
    """What a provider's answer becomes that sends these events, or this one body."""
    streams = len(events) > 1
    lines = [f"data: {json.dumps(one)}\n\n" for one in events]
    body = "".join([*lines, "data: [DONE]\n\n"]) if streams else json.dumps(events[0])
    type_ = "text/event-stream" if streams else "application/json"

    async def send(request: httpx2.Request, **_: Any) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": type_}, content=body.encode(), request=request)

    words: dict[str, Any] = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "kind": kind}
    client = Client(providers.Provider(**words, stream=streams), "key")
    client._http.send = send  # type: ignore[method-assign,assignment]
    try:
        return await client.ask(question(), 5, told)
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["a" + HIGH, LOW + "b"], "a😀b"),
        (["a", HIGH, LOW, "b"], "a😀b"),
        (["a" + HIGH, "b" + LOW, "c"], "a\ufffdb\ufffdc"),
        (["a\x00", "b" + HIGH], "a\ufffdb\ufffd"),
        ([HIGH + HIGH, LOW], "\ufffd😀"),
    ],
    ids=["a pair in two", "halves alone", "no pairs", "at the end", "a half too many"],
)
async def test_what_streams_is_text_that_every_database_keeps(parts: list[str], text: str) -> None:
    """Pairs are joined over pieces, what is no character is replaced: in what is told and in the whole."""
    heard: list[str] = []

    async def told(part: str) -> None:
        part.encode()
        heard.append(part)

    raw = await asked(*map(piece, parts), piece(finish="stop"), told=told)
    assert (raw.text, "".join(heard)) == (text, text)


@pytest.mark.parametrize("kind", ["chat", "bailian_app"])
async def test_what_comes_whole_is_text_that_every_database_keeps(kind: str) -> None:
    """With what the provider says of it."""
    odd = f"a{HIGH}\x00"
    output = {"output": {"text": odd, "finish_reason": odd}, "request_id": odd}
    body = output if kind == "bailian_app" else {**whole(odd, id=odd), "model": odd}
    raw = await asked(body, kind=kind)
    assert (raw.text, raw.request_id) == ("a\ufffd\ufffd", "a\ufffd\ufffd")
    assert odd not in (raw.model, raw.finish_reason)


@pytest.mark.parametrize(
    "error", [ValueError("x"), TypeError("x"), TimeoutError("x"), OSError("x"), "\ud800"], ids=repr
)
async def test_an_error_of_who_is_told_is_no_failure_of_the_provider(error: Exception | str) -> None:
    """It is raised as it came: another request would be paid, and meet it again."""

    async def told(part: str) -> None:
        if isinstance(error, str):
            error.encode()
        else:
            raise error

    with pytest.raises(UnicodeEncodeError if isinstance(error, str) else type(error)) as caught:
        await asked(piece("a"), piece(finish="stop"), told=told)
    assert isinstance(error, str) or caught.value is error


INCOMPLETE = [
    {},
    {"total_tokens": 7},
    {"prompt_tokens": None, "completion_tokens": None},
    {"prompt_tokens": 3},
    {"prompt_tokens": "3", "completion_tokens": "4"},
    {"prompt_tokens": 3, "completion_tokens": -4},
    {"prompt_tokens": 3, "completion_tokens": 2**63},
    {"prompt_tokens": True, "completion_tokens": 4},
    [3, 4],
    "7",
]


@pytest.mark.parametrize("usage", INCOMPLETE, ids=repr)
async def test_usage_that_is_no_two_whole_numbers_is_unknown(usage: Any) -> None:
    """Of an answer that comes whole, in a stream, and from an app."""
    assert (await asked(whole("a", usage=usage))).usage is None
    assert (await asked(piece("a"), piece(finish="stop", usage=usage))).usage is None
    names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
    renamed = {names.get(name, name): n for name, n in usage.items()} if isinstance(usage, dict) else usage
    for of_app in ({"models": [renamed]}, {"models": renamed}, usage):
        output = {"text": "a", "finish_reason": "stop"}
        assert (await asked({"output": output, "usage": of_app}, kind="bailian_app")).usage is None


async def test_usage_that_was_said_is_kept_where_a_later_piece_says_none() -> None:
    """And cached tokens that are no number are unknown; the rest is not."""
    full = {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": "x"}}
    raw = await asked(piece("a", usage=full), piece(finish="stop", usage={}))
    assert raw.usage == NONE_OF_IT


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "thinking", "thinking": [{"text": "hm"}]}, {"type": "text", "text": "a"}], "a"),
        ([{"type": "text", "text": None}, "b", 3], ""),
        ({"a": 1}, '{"a": 1}'),
        (None, ""),
    ],
    ids=["parts", "no texts", "an object", "nothing"],
)
async def test_content_that_is_no_text_is_read_as_far_as_it_is(content: Any, text: str) -> None:
    """Some providers send parts, of which some are texts."""
    assert (await asked(whole(content))).text == text
    assert (await asked(piece(content), piece(finish="stop"))).text == text


async def test_a_question_that_cannot_be_sent_is_no_failure_of_the_provider() -> None:
    """It fails for good, before anybody was asked; the provider stays open."""
    async with fake() as server, desk(table(server, llm={"failures": 1})) as one:
        with pytest.raises(ModelFailed, match="question cannot be sent") as caught:
            await one(question("a" + HIGH), quiet)
        assert (caught.value.code, server.book.number) == ("bad_question", 0)
        assert (await one(question(), quiet)).finish_reason == "stop"


@pytest.fixture
def no_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose answers say of their usage that there is one."""
    work: Callable[..., Reply] = FakeServer._work

    def without(self: FakeServer, *args: Any) -> Reply:
        reply = work(self, *args)
        reply.usage = {}
        return reply

    monkeypatch.setattr(FakeServer, "_work", without)


def busy(one: Desk) -> int:
    """How many turns are out."""
    return one.pool.lanes["main"].busy


async def test_an_answer_with_incomplete_usage_is_an_answer(no_usage: None) -> None:
    """Paid once, its usage and cost unknown, its turn given back."""
    async with fake() as server, desk(table(server)) as one:
        answer = await one(question(), quiet)
        assert (answer.usage, answer.cost, server.book.billed, busy(one)) == (None, None, 1, 0)


@pytest.mark.parametrize("place", ["before the request", "behind the answer"])
async def test_a_turn_is_given_back_whatever_happens(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A defect of ours leaks none."""

    def broken(*_: Any) -> Any:
        raise RuntimeError

    async with fake() as server, desk(table(server)) as one:
        owner, name = (one, "asked") if place == "before the request" else (one.pool._gates, "answered")
        monkeypatch.setattr(owner, name, broken)
        with pytest.raises(RuntimeError):
            await one(question(), quiet)
        assert busy(one) == 0
