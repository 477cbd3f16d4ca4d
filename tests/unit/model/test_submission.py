"""Conditions and targets are valid from the moment that they are made."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.model.errors import InvalidInput
from duly.model.task import Conditions, Target


def make(**overrides: Any) -> Conditions:
    return Conditions(**{"task_type": "demo", "body_hash": "h", **overrides})


@pytest.mark.parametrize(
    "overrides",
    [
        {"priority": 0},
        {"priority": 11},
        {"priority": True},
        {"max_retries": -1},
        {"max_retries": 101},
        {"max_retries": False},
        {"timeout_ms": 0},
        {"timeout_ms": 366 * 86_400_000 + 1},
        {"task_type": ""},
        {"task_type": "a b"},
        {"task_type": "a/b"},
        {"task_type": "界"},
        {"task_type": "x" * 101},
        {"task_type": ".hidden"},
        {"queue": ""},
        {"queue": "q" * 65},
        {"queue": "a,b"},
        {"queue": None},
        {"tenant": "t" * 65},
        {"tenant": "a\nb"},
        {"owner": "o" * 65},
        {"owner": "a\x00b"},
        {"owner": "ann "},
        {"tags": (" a",)},
        {"owner": "\ud800"},
        {"owner": 7},
        {"owner": None},
        {"idempotency_key": ""},
        {"idempotency_key": "k" * 201},
        {"idempotency_key": "a\tb"},
        {"idempotency_key": 7},
        {"unique": ""},
        {"unique": "u" * 201},
        {"tags": ("t" * 65,)},
        {"tags": ("a\rb",)},
        {"tags": (7,)},
        {"tags": tuple(map(str, range(21)))},
        {"deliver": (Target(channel="inbox"),) * 21},
    ],
    ids=str,
)
def test_a_word_out_of_range_is_refused(overrides: dict[str, Any]) -> None:
    """Before anything is kept, with a message that names it."""
    with pytest.raises(InvalidInput, match=r"must be|holds|must not|at most"):
        make(**overrides)


@pytest.mark.parametrize(
    "overrides",
    [
        {"priority": 1},
        {"priority": 10},
        {"max_retries": 0},
        {"max_retries": 100},
        {"timeout_ms": 1},
        {"task_type": "x" * 100},
        {"task_type": "company.report:v2-b_1"},
        {"owner": "用户 7 <x@y> '%_"},
        {"tenant": "t" * 64},
        {"idempotency_key": "k" * 200},
        {"unique": "日报/2026"},
        {"tags": tuple(map(str, range(20)))},
    ],
    ids=str,
)
def test_the_edges_are_allowed(overrides: dict[str, Any]) -> None:
    """The largest, the smallest, and any script in a user's name."""
    assert make(**overrides)


def test_a_higher_priority_ranks_first() -> None:
    """Users count upwards, the index downwards."""
    assert [make(priority=priority).rank for priority in (10, 5, 1)] == [1, 6, 10]


NAMES = st.text(st.sampled_from("ab/:"), max_size=6)


@given(NAMES, NAMES, NAMES.filter(bool), NAMES.filter(bool), st.sampled_from("xy"), st.sampled_from("xy"))
def test_unique_keys_meet_only_when_all_three_words_do(
    tenant: str, other: str, key: str, second: str, kind: str, kind2: str
) -> None:
    """Tenant, type and key: no choice of names reaches into another tenant."""
    one, two = (tenant, kind, key), (other, kind2, second)
    keys = [make(tenant=words[0], task_type=words[1], unique=words[2]).unique_key for words in (one, two)]
    assert (keys[0] == keys[1]) == (one == two)


def test_the_longest_unique_key_fits_its_column() -> None:
    """400 characters, in every database."""
    longest = make(tenant="t" * 64, task_type="x" * 100, unique="u" * 200).unique_key
    assert longest is not None
    assert len(longest) <= 400


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "//example.com",
        "http://",
        "http:///path",
        "https://user@example.com/",
        "https://user:secret@example.com/hook",
        "http://exa mple.com/",
        "http://example.com/\n",
        "javascript:alert(1)",
        "http://example.com/" + "x" * 2_000,
    ],
    ids=lambda url: url[:40],
)
def test_a_webhook_that_is_no_plain_web_address_is_refused(url: str) -> None:
    """Another scheme, no host, or a user name in it: a secret does not belong in a URL."""
    with pytest.raises(InvalidInput, match="deliver"):
        Target(channel="webhook", url=url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com:8443/hook?a=b@c#d",
        "http://[::1]:8000/x",
        "http://web:3000/path/a@b",
        "https://例え.jp/?q=@",
        "http://example.com?mail=a@b",
    ],
)
def test_a_plain_web_address_is_a_webhook(url: str) -> None:
    """An @ behind the host is part of the path; where it may lead is decided when it is sent."""
    assert Target(channel="webhook", url=url).url == url


def test_an_unknown_channel_is_refused_with_those_there_are() -> None:
    """The message helps."""
    with pytest.raises(InvalidInput, match="webhook, inbox"):
        Target(channel="pigeon")
