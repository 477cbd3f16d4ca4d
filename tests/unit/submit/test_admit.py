"""What a caller may ask for, and what it is told when it may not."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.clock import iso
from duly.model.errors import InvalidInput, TooLarge, UnknownTaskType
from duly.model.policy import RetryPolicy
from duly.model.task import Submission, Target
from duly.registry import Registry, TaskType
from duly.submit.admit import INPUT_LIMIT, METADATA_LIMIT, Options, admit, moment
from duly.submit.targets import target

NOW = 1_800_000_000_000
EAST = dt.timezone(dt.timedelta(hours=8))
AT = dt.datetime(2027, 1, 15, 8, 0, tzinfo=dt.UTC)


def report(ctx: Any, company: str = "", pages: Any = None) -> None:
    """A handler that needs no more than a signature."""


REGISTRY = Registry()
REGISTRY.add(
    TaskType(name="report", handler=report, queue="slow", timeout=90, policy=RetryPolicy(max_retries=7))
)


def ask(input_: Any = None, **options: Any) -> Submission:
    return admit(REGISTRY, "report", {} if input_ is None else input_, Options(**options), NOW)


def test_what_is_not_said_comes_from_the_handler() -> None:
    """Queue, timeout and retries of its declaration; nobody's task, due now, priority 5."""
    one = ask().conditions
    assert (one.queue, one.timeout_ms, one.max_retries) == ("slow", 90_000, 7)
    assert (one.owner, one.tenant, one.due_at, one.deadline_at, one.priority) == ("", "", None, None, 5)


def test_what_is_said_counts() -> None:
    """Also when it is zero."""
    one = ask(queue="fast", timeout=0.5, max_retries=0, priority=9, owner="ann", deliver=["inbox"]).conditions
    assert (one.queue, one.timeout_ms, one.max_retries, one.priority) == ("fast", 500, 0, 9)
    assert one.deliver == (Target(channel="inbox"),)


def test_how_long_it_is_kept_is_said_by_the_task_or_its_type() -> None:
    """Else by nobody: then it is the installation's word when the task ends."""
    registry = Registry()
    registry.add(TaskType(name="plain", handler=report))
    registry.add(TaskType(name="short", handler=report, result_ttl=90))
    asked = (("plain", None), ("plain", 60), ("short", None), ("short", 60.5))
    made = [admit(registry, name, {}, Options(result_ttl=ttl, owner="ann"), NOW) for name, ttl in asked]
    assert [one.conditions.result_ttl_ms for one in made] == [None, 60_000, 90_000, 60_500]


def test_ids_ascend() -> None:
    """Later submissions have larger ids: lists and claims rely on it."""
    made = [ask().id for _ in range(200)]
    assert made == sorted(made)


def test_an_unknown_type_is_told_with_those_there_are() -> None:
    """A slip in the name is found at once."""
    with pytest.raises(UnknownTaskType, match="known: report"):
        admit(REGISTRY, "reprot", {}, Options(), NOW)


@pytest.mark.parametrize(
    "input_", [{"firm": "x"}, {"ctx": 1}, {"company": "a", "more": 1}, [], "text", 7, {1: 2}]
)
def test_an_input_that_does_not_fit_the_handler_is_refused(input_: Any) -> None:
    """Before it is kept, not when a worker runs it."""
    with pytest.raises(InvalidInput, match="report"):
        ask(input_)


@pytest.mark.parametrize("value", [math.nan, "\x00", 2**53, {1, 2}, {1: "a", "1": "b"}], ids=repr)
def test_an_input_that_is_not_strict_json_is_refused(value: Any) -> None:
    """The codec's rules hold for callers in Python as for those over HTTP."""
    with pytest.raises(InvalidInput, match="the input"):
        ask({"pages": value})


def test_an_input_may_be_a_mebibyte_and_no_more() -> None:
    """Counted in bytes of UTF-8; larger things are uploaded."""
    room = INPUT_LIMIT - len('{"company":""}')
    assert ask({"company": "x" * room})
    with pytest.raises(TooLarge, match="upload"):
        ask({"company": "x" * (room + 1)})
    with pytest.raises(TooLarge):
        ask({"company": "界" * (room // 2)})


def test_the_same_request_has_the_same_digest() -> None:
    """Key order and spelling do not matter, mixed keys neither; type and content do."""
    first = ask({"company": "a", "pages": {1: "x", "b": [1.0, "界"]}}, idempotency_key="k")
    turned = ask({"pages": {"b": (1.0, "界"), "1": "x"}, "company": "a"}, idempotency_key="k")
    other = ask({"company": "b"}, idempotency_key="k")
    hashes = [one.conditions.body_hash for one in (first, turned, other)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_metadata_has_its_own_limit() -> None:
    """In bytes, for it travels with every list."""
    room = METADATA_LIMIT - len('{"a":""}')
    assert ask(metadata={"a": "x" * room})
    for text in ("x" * (room + 1), "界" * (room // 2)):
        with pytest.raises(TooLarge):
            ask(metadata={"a": text})


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 0},
        {"priority": 5.0},
        {"priority": "5"},
        {"priority": True},
        {"max_retries": 1.5},
        {"max_retries": -1},
        {"max_retries": True},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": math.nan},
        {"timeout": math.inf},
        {"timeout": "60"},
        {"timeout": True},
        {"timeout": 367 * 86_400},
        {"result_ttl": 0},
        {"result_ttl": 59.9},
        {"result_ttl": math.nan},
        {"result_ttl": math.inf},
        {"result_ttl": "60"},
        {"result_ttl": True},
        {"result_ttl": 101 * 366 * 86_400},
        {"queue": "a b"},
        {"owner": 7},
        {"tenant": None},
        {"idempotency_key": ""},
        {"unique": ""},
        {"tags": "red"},
        {"tags": [1]},
        {"tags": {"red": 1}},
        {"metadata": "text"},
        {"metadata": [1]},
        {"metadata": None},
        {"metadata": {"a": math.nan}},
        {"deliver": "inbox"},
        {"deliver": "https://example.com/"},
        {"deliver": {"channel": "inbox"}},
        {"deliver": ["pigeon"]},
        {"deliver": [7]},
        {"deliver": [{"channel": "inbox", "more": 1}]},
        {"deliver": [{"url": "https://example.com/"}]},
        {"deliver": [{"channel": "webhook", "url": 7}]},
        {"deliver": [{"channel": "webhook"}]},
        {"due": "tomorrow"},
        {"due": "2027-01-15"},
        {"due": "2027-01-15T08:00:00"},
        {"due": dt.datetime(2027, 1, 15)},  # noqa: DTZ001 - the point of the case
        {"due": True},
        {"due": math.nan},
        {"due": math.inf},
        {"due": 1e10},
        {"due": dt.timedelta.max},
        {"due": [1]},
        {"deadline": 0},
        {"deadline": -1},
        {"deadline": "2001-01-01T00:00:00Z"},
        {"deadline": dt.timedelta(days=4_000_000)},
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused(options: dict[str, Any]) -> None:
    """Always as invalid input with a message that names it, never as a crash."""
    with pytest.raises(InvalidInput) as caught:
        ask(**options)
    [name] = options
    assert name in str(caught.value) or name.rstrip("s") in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (0, NOW),
        (90, NOW + 90_000),
        (0.25, NOW + 250),
        (-5, NOW - 5_000),
        (dt.timedelta(minutes=2), NOW + 120_000),
        (AT, round(AT.timestamp() * 1000)),
        (AT.astimezone(EAST), round(AT.timestamp() * 1000)),
        ("2027-01-15T08:00:00Z", NOW),
        ("2027-01-15T16:00:00+08:00", NOW),
        ("20270115T080000Z", NOW),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
    ids=str,
)
def test_a_moment_is_said_in_several_ways(value: Any, expected: int | None) -> None:
    """Seconds from now, a duration, a date with a zone, ISO 8601."""
    assert moment(value, NOW, "due") == expected


@given(st.integers(1_100_000_000_000, 2_100_000_000_000))
def test_a_moment_that_we_wrote_is_read_to_the_millisecond(ms: int) -> None:
    """What the API shows may be sent back to it, for the years 2005 to 2036."""
    assert moment(iso(ms), NOW, "due") == ms


@given(st.one_of(st.floats(), st.integers(), st.text(), st.timedeltas(), st.datetimes(), st.booleans()))
def test_no_moment_is_a_crash(value: Any) -> None:
    """Any value is a moment that can be shown, or invalid input."""
    try:
        at = moment(value, NOW, "due")
    except InvalidInput:
        return
    assert at is not None
    assert at < NOW or iso(at)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("inbox", Target(channel="inbox")),
        ("https://example.com/x", Target(channel="webhook", url="https://example.com/x")),
        ({"channel": "inbox"}, Target(channel="inbox")),
        ({"channel": "webhook", "url": "http://a/"}, Target(channel="webhook", url="http://a/")),
        (Target(channel="inbox"), Target(channel="inbox")),
    ],
    ids=str,
)
def test_a_target_is_said_in_several_ways(value: Any, expected: Target) -> None:
    """A word, a URL, an object."""
    assert target(value, lambda _: None) == expected


def test_what_was_admitted_is_kept_as_it_was_said() -> None:
    """The input's text is compact JSON of exactly the caller's value."""
    value = {"company": "界", "pages": [1, 2.5, None, {"a": True}]}
    assert json.loads(ask(value).input) == value
