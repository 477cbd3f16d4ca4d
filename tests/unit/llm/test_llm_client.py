"""One request to a provider that fails in each way that a script knows: what each failure means."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from openai.types import CompletionUsage

from duly.llm import providers
from duly.llm.client import Client, retry_after, usage_of
from duly.llm.failures import Kind, RequestFailed, told
from duly.llm.questions import with_schema
from duly.model.chat import Usage
from support.models import fake, question, quiet, table

STATED = "Answer with one JSON value and nothing else. It must fit this JSON schema"


async def asked(fault: dict[str, Any] | None, *, seconds: float = 5, **provider: Any) -> Any:
    faults = [fault] if fault else []
    async with fake(*faults) as server:
        _, (one,) = providers.read(table(server, **provider))
        client = Client(one, "key")
        heard: list[str] = []

        async def told(text: str) -> None:
            heard.append(text)

        try:
            return await client.ask(question(), seconds, told), heard, server.book
        finally:
            await client.close()


async def failure(fault: dict[str, Any], *, seconds: float = 5, **provider: Any) -> Any:
    with pytest.raises(RequestFailed) as caught:
        await asked(fault, seconds=seconds, **provider)
    return caught.value.failure


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_comes_with_its_usage(stream: bool) -> None:
    """Text, finish_reason, model and tokens are the server's, streamed or not."""
    raw, heard, book = await asked(None, stream=stream)
    assert raw.finish_reason == "stop"
    assert raw.model == "scripted-1"
    assert raw.usage == Usage(prompt_tokens=book.prompt_tokens, completion_tokens=book.completion_tokens)
    assert "".join(heard) == (raw.text if stream else "")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("kind", "meaning"),
    [
        ("error", Kind.RETRY),
        ("rate_limit", Kind.LIMITED),
        ("quota", Kind.SWITCH),
        ("unauthorized", Kind.SWITCH),
        ("arrearage", Kind.SWITCH),
        ("filtered", Kind.FATAL),
        ("html", Kind.RETRY),
        ("broken_json", Kind.RETRY),
        ("no_choices", Kind.RETRY),
        ("truncated", Kind.RETRY),
        ("reset", Kind.RETRY),
    ],
)
async def test_each_fault_is_a_failure_with_a_meaning(kind: str, meaning: Kind, stream: bool) -> None:
    """Nothing that is no answer passes for one, whatever the SDK makes of it."""
    assert (await failure({"kind": kind}, stream=stream)).kind is meaning


@pytest.mark.parametrize(
    ("status", "meaning", "code"),
    [
        (302, Kind.RETRY, "bad_answer"),
        (308, Kind.RETRY, "bad_answer"),
        (404, Kind.SWITCH, "internal_error"),
        (408, Kind.RETRY, "internal_error"),
        (422, Kind.FATAL, "internal_error"),
        (503, Kind.RETRY, "internal_error"),
    ],
)
async def test_a_status_has_a_meaning(status: int, meaning: Kind, code: str) -> None:
    """A redirection is no answer to the question, and no refusal of it: it is followed nowhere."""
    found = await failure({"kind": "error", "status": status})
    assert (found.kind, found.code) == (meaning, code)


@pytest.mark.parametrize(
    "provider",
    [{"stream": True}, {"stream": False}, {"kind": "bailian_app"}],
    ids=["stream", "whole", "app"],
)
@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("DataInspectionFailed", Kind.FATAL),
        ("Arrearage", Kind.SWITCH),
        ("Throttling.RateQuota", Kind.LIMITED),
        ("rate_limit_exceeded", Kind.LIMITED),
        ("429", Kind.LIMITED),
        ("400", Kind.FATAL),
        ("InternalError.Timeout", Kind.RETRY),
    ],
)
async def test_an_error_within_an_answer_is_read_by_its_code(
    code: str, meaning: Kind, provider: dict[str, Any]
) -> None:
    """Status 200 and half an answer, and then an error: it means what it would mean with its own status."""
    found = await failure({"kind": "inner_error", "code": code}, **provider)
    assert (found.kind, found.code, found.message) == (meaning, code, "The answer was held back.")


@pytest.mark.parametrize(("per_minute", "meaning"), [(False, Kind.SWITCH), (True, Kind.LIMITED)])
def test_a_quota_within_an_answer_is_whose_it_is(per_minute: bool, meaning: Kind) -> None:
    """An account's elsewhere, a minute's at DashScope; what has no code says nothing."""
    found = told({"code": "insufficient_quota"}, quota_per_minute=per_minute)
    assert found is not None
    assert found.kind is meaning
    for nothing in ("overloaded", None, {}, {"message": "x"}):
        assert told(nothing, quota_per_minute=per_minute) is None


async def test_a_stream_without_a_finish_reason_is_no_answer() -> None:
    """The SDK lets a cut-off stream pass as if it were whole."""
    assert (await failure({"kind": "truncated"})).code == "truncated"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_dripping_body_ends_with_the_total_deadline(stream: bool) -> None:
    """Each byte counts as a sign of life for the SDK; the deadline counts all."""
    found = await failure({"kind": "drip", "seconds": 5}, seconds=0.5, stream=stream, idle=60)
    assert (found.code, found.message) == ("timeout", "Timeout after 0.5s")


async def test_a_stream_that_falls_silent_is_left() -> None:
    """The idle limit is shorter than the deadline."""
    found = await failure({"kind": "endless", "seconds": 60}, seconds=30, idle=0.3)
    assert (found.kind, found.code) == (Kind.RETRY, "idle")


async def test_a_server_that_hangs_is_left() -> None:
    """Nothing at all comes: the SDK's own timeout, in our words."""
    assert (await failure({"kind": "hang", "seconds": 60}, seconds=30, idle=0.3)).code == "timeout"


@pytest.mark.parametrize("provider", [{"stream": False}, {"kind": "bailian_app"}], ids=["whole", "app"])
async def test_a_whole_answer_may_take_longer_than_idle(provider: dict[str, Any]) -> None:
    """Nothing comes before its end, so only the total deadline counts."""
    async with fake(latency=0.4) as server:
        _, (one,) = providers.read(table(server, idle=0.1, **provider))
        client = Client(one, "key")
        try:
            assert (await client.ask(question(), 30, quiet)).finish_reason == "stop"
        finally:
            await client.close()


async def test_who_cannot_be_reached_is_not_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that does not come is told as that, after its own ten seconds."""

    async def send(*_: Any, **__: Any) -> Any:
        raise httpx2.ConnectTimeout("")

    client = Client(providers.Provider(base_url="http://127.0.0.1:9/v1", stream=False), "key")
    monkeypatch.setattr(client._http, "send", send)
    with pytest.raises(RequestFailed, match=r"^connection: no connection within 10s$"):
        await client.ask(question(), 30, quiet)
    await client.close()


async def test_usage_that_is_not_said_is_unknown() -> None:
    """None, never 0."""
    raw, _, _ = await asked({"kind": "no_usage"}, stream=False)
    assert raw.usage is None


@pytest.mark.parametrize(
    ("details", "cached"),
    [({}, None), ({"prompt_tokens_details": {}}, None)]
    + [({"prompt_tokens_details": {"cached_tokens": n}}, n) for n in (0, 7)],
    ids=["nothing", "no number", "none", "some"],
)
def test_cached_tokens_that_are_not_said_are_unknown(details: dict[str, Any], cached: int | None) -> None:
    """None is not 0: some providers cache and do not say."""
    given = CompletionUsage.model_validate(
        {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10, **details}
    )
    assert usage_of(given) == Usage(prompt_tokens=9, completion_tokens=1, cached_tokens=cached)


async def test_a_429_tells_how_long() -> None:
    """Retry-After, in seconds."""
    assert (await failure({"kind": "rate_limit", "retry_after": 7})).after == 7


@pytest.mark.parametrize("kind", ["quota", "inner_error"], ids=["status 429", "status 200"])
@pytest.mark.parametrize(
    ("provider", "meaning"),
    [
        ({"kind": "bailian_app"}, Kind.LIMITED),
        ({"quota_per_minute": True}, Kind.LIMITED),
        ({}, Kind.SWITCH),
        ({"kind": "bailian_app", "quota_per_minute": False}, Kind.SWITCH),
    ],
    ids=["DashScope", "as said", "elsewhere", "not as said"],
)
async def test_a_quota_is_a_limit_per_minute_where_that_is_said(
    provider: dict[str, Any], meaning: Kind, kind: str
) -> None:
    """Worded like billing, over within a minute: at DashScope, and behind an address that does not say so."""
    found = await failure({"kind": kind, "code": "insufficient_quota"}, **provider)
    assert (found.kind, found.code) == (meaning, "insufficient_quota")


async def test_an_app_of_bailian_answers() -> None:
    """Its own shape: input and output, usage per model."""
    raw, _, book = await asked(None, kind="bailian_app", model="app-1")
    assert raw.text.startswith("Scripted answer")
    assert book.requests[0]["path"].endswith("/apps/app-1/completion")
    assert raw.usage.completion_tokens == book.completion_tokens


@pytest.mark.parametrize(
    ("more", "prompt"),
    [
        ({}, "How many bids are there?"),
        (
            {"schema": {"type": "object"}},
            f'[system]\n{STATED}: {{"type": "object"}}\n\n[user]\nHow many bids are there?',
        ),
        (
            {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who?"}]},
            "[system]\nBe brief.\n\n[user]\nWho?",
        ),
    ],
    ids=["one message", "a schema", "instructions"],
)
async def test_an_app_is_told_all_messages(more: dict[str, Any], prompt: str) -> None:
    """It takes one text: schema, instructions and history stand in it, a single question as it is."""
    async with fake() as server:
        _, (one,) = providers.read(table(server, kind="bailian_app", model="app-1"))
        client = Client(one, "key")
        try:
            await client.ask(replace(question(), **more), 5, quiet)
        finally:
            await client.close()
    assert list(server.book.by_prompt) == [hashlib.sha256(prompt.encode()).hexdigest()[:16]]


async def test_proxies_of_the_environment_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's proxy stands in its table, or there is none."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    raw, _, _ = await asked(None)
    assert raw.finish_reason == "stop"


def test_what_retry_after_may_be() -> None:
    """Seconds or milliseconds; a date, a negative number and nonsense are none."""
    assert retry_after({"retry-after": "3"}) == 3
    assert retry_after({"retry-after-ms": "1500"}) == 1.5
    for wrong in ("-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9"):
        assert retry_after({"retry-after": wrong}) is None


def test_a_schema_is_stated_before_the_question() -> None:
    """With the word JSON, which DashScope wants to read."""
    first, second = with_schema(question(schema={"type": "object"}))
    assert "JSON" in first["content"]
    assert second["role"] == "user"


def test_what_the_environment_says_of_another_provider_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK would send OPENAI_ORG_ID and OPENAI_PROJECT_ID to any provider."""
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-1")
    client = Client(providers.Provider(base_url="http://127.0.0.1:9/v1"), "key")
    sent = {name.lower() for name, value in client._sdk.default_headers.items() if isinstance(value, str)}
    assert not {"openai-organization", "openai-project"} & sent
