"""One call with all its tries: who is asked, how often, and what becomes of it when nobody answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from duly.config import SettingsError, load
from duly.llm.alone import Alone
from duly.llm.bucket import Bucket
from duly.llm.failures import Failure, Kind
from duly.llm.pool import Pool
from duly.llm.providers import LlmTable, Provider, read, warnings
from duly.model.chat import ModelAway, ModelFailed, ModelPaused
from duly.observe.lines import LineFormatter
from support.models import Heard, desk, fake, question, quiet, table


async def test_a_failed_request_is_made_again() -> None:
    """Two errors, then an answer: three requests, one bill."""
    async with fake({"kind": "error", "first": 2}) as server, desk(table(server)) as one:
        answer = await one(question(), quiet)
        assert (answer.tries, server.book.number, server.book.billed) == (3, 3, 1)


async def test_tries_have_an_end() -> None:
    """As many as the table says; beyond that the task's policy decides."""
    settings = {"llm": {"tries": 2, "failures": 9}}
    async with fake({"kind": "error"}) as server, desk(table(server, **settings)) as one:
        with pytest.raises(ModelAway) as caught:
            await one(question(), quiet)
        assert (caught.value.code, server.book.number) == ("internal_error", 2)


@pytest.mark.parametrize("limit", [{"timeout": 0.1}, {"idle": 0.1}], ids=["timeout", "idle"])
async def test_a_silent_model_is_no_timeout_of_the_attempt(limit: dict[str, float]) -> None:
    """Its own code, and a sentence that says who was silent, while a provider is left to be asked."""
    settings = {"llm": {"tries": 2}, **limit}
    async with fake({"kind": "endless", "seconds": 60}) as server, desk(table(server, **settings)) as one:
        with pytest.raises(ModelAway, match=r"^The model did not answer in time \(") as caught:
            await one(question(), quiet)
        assert (caught.value.code, server.book.number) == ("llm_timeout", 2)


async def test_a_refused_question_is_asked_once() -> None:
    """A content filter's no is final: no other try, no other provider."""
    async with fake({"kind": "filtered"}) as server, fake() as other:
        settings = table(server)
        settings["providers"]["other"] = {"base_url": other.url, "model": "m", "order": 1}
        async with desk(settings) as one:
            with pytest.raises(ModelFailed) as caught:
                await one(question(), quiet)
        assert caught.value.code == "DataInspectionFailed"
        assert (server.book.number, other.book.number) == (1, 0)


async def test_another_provider_answers_at_once() -> None:
    """A wrong key closes a provider, raises an alarm, and the next in order answers."""
    heard = Heard()
    async with fake({"kind": "unauthorized"}) as server, fake() as other:
        settings = table(server)
        settings["providers"]["other"] = {"base_url": other.url, "model": "m", "order": 1}
        async with desk(settings, heard) as one:
            answers = [await one(question(str(n)), quiet) for n in range(5)]
        assert {answer.provider for answer in answers} == {"other"}
        assert server.book.number == 1
    (alarm,) = heard.of("llm_provider.closed")
    assert (alarm["level"], alarm["provider"], alarm["error_code"]) == ("error", "main", "invalid_api_key")


async def test_a_rate_limit_pauses_the_task() -> None:
    """429 with Retry-After: nobody is charged, and the pause is the one that was asked for."""
    async with fake({"kind": "rate_limit", "retry_after": 30}) as server, desk(table(server)) as one:
        for _ in range(3):
            with pytest.raises(ModelPaused) as caught:
                await one(question(), quiet)
        assert 25 < caught.value.after <= 37
        assert caught.value.gates == ("main",)
        assert server.book.number == 1


async def test_a_short_pause_is_waited_for_here() -> None:
    """A pause of less than the patience of a call costs the task nothing."""
    fault = {"kind": "rate_limit", "retry_after": 0.1, "first": 1}
    async with fake(fault) as server, desk(table(server)) as one:
        assert (await one(question(), quiet)).tries == 2


async def test_only_wrong_accounts_are_charged() -> None:
    """Somebody must look: the task is tried again by its policy, and fails in the end."""
    async with fake({"kind": "arrearage"}) as server, desk(table(server)) as one:
        for _ in range(2):
            with pytest.raises(ModelAway):
                await one(question(), quiet)
        assert server.book.number == 1


async def test_no_more_at_once_than_a_provider_takes() -> None:
    """The limit holds for forty calls that come together; each is answered."""
    async with fake(latency=0.01) as server, desk(table(server, concurrency=3)) as one:
        await asyncio.gather(*[one(question(str(n)), quiet) for n in range(40)])
        assert server.book.most_at_once == 3
        assert server.book.billed == 40


async def test_a_broken_stream_is_marked_where_it_begins_again() -> None:
    """Who reads along sees that the text before was not the answer."""
    parts: list[str] = []

    async def told(text: str) -> None:
        parts.append(text)

    async with fake({"kind": "truncated", "first": 1}) as server, desk(table(server)) as one:
        answer = await one(question(), told)
    assert "".join(parts).endswith("begins again ---\n\n" + answer.text)


async def test_the_log_has_the_words_that_were_promised() -> None:
    """llm_request and llm_response as JSON; no prompt, no answer, no key."""
    heard = Heard()
    settings = {"key_env": "KEY", "llm": {"tries": 2}}
    async with fake({"kind": "error", "first": 1}) as server, desk(table(server, **settings), heard) as one:
        await one(question("a secret question", task_id="t1"), quiet)
    lines = [said(name, fields) for name, fields in heard.events]
    ask, failed, _, good = lines
    assert {"event", "provider", "model", "prompt_tokens", "timestamp", "task_id"} <= ask.keys()
    assert ask["timestamp"].endswith("Z")
    assert (failed["event"], failed["success"], failed["error"]) == (
        "llm_response",
        False,
        "The server had an error.",
    )
    assert (good["success"], good["model"], good["provider"]) == (True, "scripted-1", "main")
    assert isinstance(good["duration_ms"], float)
    assert good["response_tokens"] > 0
    assert "secret" not in json.dumps(lines)


def said(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    more = {word: value for word, value in fields.items() if word not in ("level", "task_id")}
    line = LineFormatter("json").line(1_800_000_000_000, "info", name, fields.get("task_id"), more)
    found: dict[str, Any] = json.loads(line)
    return found


async def test_weights_share_the_calls() -> None:
    """Three to one, as they say."""
    many = [Provider(name=name, base_url="http://x", weight=weight) for name, weight in (("a", 3), ("b", 1))]
    pool = Pool(Alone(LlmTable(), many))
    found = []
    for _ in range(2000):
        lane = await pool.take("", (), 0)
        found.append(lane.name)
        pool.give_back(lane)
    assert 1400 < found.count("a") < 1600


async def test_after_a_pause_one_probe_then_a_ramp() -> None:
    """A provider that opens gets one request; each success lets one more follow."""
    pool = Pool(Alone(LlmTable(cooldown=0.001), [Provider(name="a", base_url="http://x")]))
    lane = await pool.take("", (), 0)
    pool.give_back(lane, Failure(kind=Kind.LIMITED, code="429", message=""))
    loop = asyncio.get_running_loop()
    probe = await pool.take("", (), loop.time() + 5)
    with pytest.raises(ModelPaused):
        await pool.take("", (), loop.time())
    pool.give_back(probe)
    two = [await pool.take("", (), 0) for _ in range(2)]
    with pytest.raises(ModelPaused):
        await pool.take("", (), loop.time())
    assert len(two) == 2


async def test_a_dead_provider_gets_no_more_requests_than_it_got_at_first() -> None:
    """Of four under way one fails, and then another: nobody takes their places before the third closes it."""
    pool = Pool(Alone(LlmTable(failures=3), [Provider(name="a", base_url="http://x")]))
    now = asyncio.get_running_loop().time()
    lanes = [await pool.take("", (), now) for _ in range(4)]
    for lane in lanes[:3]:
        pool.give_back(lane, Failure(kind=Kind.RETRY, code="500", message=""))
        with pytest.raises((ModelPaused, ModelAway)):
            await pool.take("", (), now)


async def test_an_unknown_model_is_said_at_once() -> None:
    """No provider has it."""
    async with fake() as server, desk(table(server)) as one:
        with pytest.raises(ModelFailed, match="no provider has the model 'gpt-9'"):
            await one(question(model="gpt-9"), quiet)


def test_a_wrong_table_tells_all_at_once() -> None:
    """Each line says where."""
    with pytest.raises(SettingsError) as caught:
        read({"tries": 0, "providers": {"a": {"base_url": "http://x", "wieght": 1}}})
    assert [line.split(":")[0] for line in caught.value.problems] == ["llm.tries", "llm.providers.a.wieght"]
    with pytest.raises(SettingsError, match=r"llm\.providers\.a\.quota_per_minute"):
        read({"providers": {"a": {"base_url": "http://x", "quota_per_minute": "often"}}})
    with pytest.raises(SettingsError, match="base_url"):
        read({"providers": {"a": {}}})
    with pytest.raises(SettingsError, match="more than 100 characters"):
        read({"providers": {"a" * 101: {"base_url": "http://x"}}})


def test_for_ever_is_warned_of() -> None:
    """A timeout of 0 is allowed, by provider and by task type."""
    table_, some = read(
        {"providers": {"a": {"base_url": "http://x", "timeouts": {"bidding": 0}, "timeout": 60}}}
    )
    assert len(warnings(table_, some)) == 1
    assert (some[0].seconds("bidding"), some[0].seconds("split")) == (86_400, 60)


def test_a_cost_needs_a_price_and_a_usage() -> None:
    """Unknown is None, never 0."""
    from duly.model.chat import Usage

    price = {"prompt": 2, "completion": 8, "cached": 0.5, "currency": "CNY", "as_of": "2026-11-01"}
    one = Provider.model_validate({"base_url": "http://x", "prices": {"m": price}})
    used = Usage(prompt_tokens=1000, completion_tokens=500, cached_tokens=400)
    assert one.cost("m", used) == {"amount": 0.0054, "currency": "CNY", "as_of": "2026-11-01"}
    assert one.cost("m", Usage(prompt_tokens=1000, completion_tokens=0))["amount"] == 0.002  # type: ignore[index]
    assert one.cost("m", None) is None
    assert one.cost("other", used) is None


async def test_a_rate_is_kept_by_all_calls_together() -> None:
    """Four calls at 30 a minute: three are saved up, the fourth comes two seconds later."""
    async with fake() as server, desk(table(server, rpm=30)) as one:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*[one(question(str(n)), quiet) for n in range(4)])
        assert loop.time() - began > 1.9
        assert server.book.billed == 4


def test_tokens_are_settled_when_they_were_counted() -> None:
    """What was reserved and not used is given back; a request larger than the bucket waits for a full one."""
    bucket = Bucket(600)
    bucket.take(0, 50)
    assert bucket.opens_in(0, 20) == 1
    bucket.settle(30)
    assert bucket.opens_in(0, 20) == 0
    assert bucket.opens_in(0, 10_000) == 2
    assert bucket.opens_in(60, 10_000) == 0


def test_a_variable_holds_the_table_as_json() -> None:
    """Where there is no file; what is no JSON is a line like any other."""
    found = load(environ={"DULY_LLM": '{"tries": 2}', "DULY_CONFIG": ""})
    assert found.llm == {"tries": 2}
    with pytest.raises(SettingsError, match="DULY_LLM"):
        load(environ={"DULY_LLM": "tries = 2"})
