"""The strict JSON codec: what passes is kept unchanged by every database; the rest is refused."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import re
import uuid
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.model import wire
from duly.model.errors import InvalidInput, MalformedJson, TooLarge
from duly.store import sqlite

LARGEST = 2**53 - 1


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


REFUSED = {
    "NaN": "NaN",
    "Infinity": '{"a": Infinity}',
    "minus Infinity": "[-Infinity]",
    "out of range": "1e999",
    "minus out of range": "[-1e999]",
    "U+0000": '"x\\u0000y"',
    "raw NUL": '"x\x00y"',
    "raw control character": '"x\ny"',
    "NUL in a key": '{"\\u0000": 1}',
    "lone high surrogate": '"\\ud800"',
    "lone low surrogate": '["\\udc00"]',
    "surrogates the wrong way round": '"\\udc00\\ud800"',
    "surrogate in a key": '{"\\ud800": 1}',
    "depth 31": nested(31),
    "depth 100": nested(100),
    "depth 900": nested(900),
    "depth 10,000": nested(10_000),
    "deep objects": '{"a":' * 31 + "1" + "}" * 31,
    "2^53": str(2**53),
    "minus 2^53": str(-(2**53)),
    "2^63": str(2**63),
    "401 digits": "9" * 401,
    "5,000 digits": "9" * 5_000,
    "duplicate keys": '{"a": 1, "a": 2}',
    "duplicate keys below": '[{"x": {"a": 1, "b": 2, "a": 1}}]',
    "duplicate keys by escape": '{"a": 1, "\\u0061": 2}',
    "nothing": "",
    "blanks": "  \n",
    "trailing bytes": "{} x",
    "two values": "{}{}",
    "trailing comma": "[1,]",
    "single quotes": "{'a': 1}",
    "comment": "[1] // one",
    "leading zero": "[01]",
    "hexadecimal": "[0x10]",
    "plus": "[+1]",
    "byte order mark": "\ufeff{}",
    "cut off": '{"a": "b',
    "undefined": "undefined",
}

ACCEPTED = {
    "depth 30": nested(30),
    "the largest number": str(LARGEST),
    "the smallest number": str(-LARGEST),
    "a large float": "1e300",
    "a small float": "5e-324",
    "minus zero": "-0.0",
    "a pair of surrogates": '"\\ud83d\\ude00"',
    "line separators": '"\u2028\u2029"',
    "Chinese": '{"标题": "招标公告"}',
    "an empty key": '{"": ""}',
    "a scalar": "null",
    "DEL": '"\x7f"',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_the_databases_disagree_on_is_refused(text: str) -> None:
    """As text and as bytes, always as malformed and never as a crash."""
    for body in (text, text.encode("utf-8", "surrogatepass")):
        with pytest.raises(MalformedJson):
            wire.loads(body)


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_what_they_agree_on_is_accepted(text: str) -> None:
    """The value is the one that Python's own parser reads."""
    assert wire.loads(text) == json.loads(text)
    assert wire.loads(text.encode()) == json.loads(text)


@pytest.mark.parametrize("body", [b'"\xff"', b'"\xc3\x28"', b'"\xed\xa0\x80"', b"\xfe\xff\x00{", b"\x80"])
def test_bytes_that_are_not_utf8_are_refused(body: bytes) -> None:
    """Overlong, cut off, UTF-16 or surrogates in bytes."""
    with pytest.raises(MalformedJson):
        wire.loads(body)


def test_the_limit_is_exact() -> None:
    """So many bytes pass, one more does not, and it is another error with another status."""
    assert wire.loads(b'"aaaa"', limit=6) == "aaaa"
    with pytest.raises(TooLarge) as caught:
        wire.loads(b'"aaaaa"', limit=6)
    assert caught.value.http_status == 413


def test_a_message_says_where_and_why() -> None:
    """A person can mend it."""
    with pytest.raises(MalformedJson, match=r"line 2 column 7"):
        wire.loads('{\n "a": x}')
    with pytest.raises(MalformedJson, match="'a' stands twice"):
        wire.loads('{"a": 1, "a": 2}')


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    at: dt.date


class Model(pydantic.BaseModel):
    when: dt.datetime


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Point(1, dt.date(2026, 1, 2)), '{"x":1,"at":"2026-01-02"}'),
        (Model(when=dt.datetime(2026, 1, 2, tzinfo=dt.UTC)), '{"when":"2026-01-02T00:00:00Z"}'),
        (Colour.RED, '"red"'),
        (uuid.UUID(int=7), '"00000000-0000-0000-0000-000000000007"'),
        (decimal.Decimal("1.10"), '"1.10"'),
        (dt.time(1, 2), '"01:02:00"'),
        ((1, 2), "[1,2]"),
        ({1: "a"}, '{"1":"a"}'),
        ("界", '"界"'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_handler_returns_is_written_plainly(value: Any, text: str) -> None:
    """Dataclasses, models, dates and the like become JSON values."""
    assert wire.dumps(value) == text


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        [math.inf],
        {"a": -math.inf},
        "x\x00",
        {"\x00": 1},
        "\ud800",
        2**53,
        -(2**53),
        10**5_000,
        {1, 2},
        b"bytes",
        object(),
        Point,
        1j,
        {(1, 2): 3},
        {1: "a", "1": "b"},
        LOOP,
        json.loads(nested(31)),
        json.loads(nested(800)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_kept_is_refused_when_written(value: Any) -> None:
    """A handler that returns it fails with a clear word, not in the database; two keys written alike too."""
    with pytest.raises(InvalidInput) as caught:
        wire.dumps(value, what="the result")
    assert caught.value.code == "not_json"
    assert str(caught.value).startswith("the result cannot be kept")


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
NUMBERS = st.integers(-LARGEST, LARGEST) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_the_same(value: Any) -> None:
    """Whatever passes comes back equal, with its types."""
    again = wire.loads(wire.dumps(value))
    assert again == value
    assert json.dumps(again, sort_keys=True) == json.dumps(value, sort_keys=True)


@given(VALUES)
def test_sqlite_hands_through_what_passes(value: Any) -> None:
    """As text inside a batch and as a value of a batch, through the functions that the verbs use."""
    text = wire.dumps(value)
    batch = json.dumps([{"body": text, "value": value}], ensure_ascii=False)
    connection = sqlite.driver.connect(":memory:")
    try:
        query = "SELECT value->>'body', value->'value', json_valid(?) FROM json_each(?)"
        body, inner, valid = connection.execute(query, (text, batch)).fetchone()
    finally:
        connection.close()
    assert body == text
    assert wire.loads(inner) == value
    assert valid == 1


@given(st.dictionaries(st.text(max_size=4), st.integers(0, 9), max_size=6))
def test_equal_values_have_equal_digests(value: dict[str, int]) -> None:
    """The order of keys does not count; a changed value does."""
    turned = dict(reversed(list(value.items())))
    assert wire.digest(value) == wire.digest(turned)
    assert wire.digest([value]) != wire.digest([{**value, "more": 1}])


@pytest.mark.parametrize("value", ["", "text", "界\n"])
def test_text_that_every_database_keeps_is_handed_back(value: str) -> None:
    """Line breaks included: it is text, not a name."""
    assert wire.checked_text(value, "the text") == value


@pytest.mark.parametrize("value", ["x\x00", "\udfff", b"bytes", 7, None])
def test_text_that_they_do_not_keep_is_refused(value: Any) -> None:
    """Or that is not text at all; the message names it."""
    with pytest.raises(InvalidInput, match="the text"):
        wire.checked_text(value, "the text")


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=6))
def test_mended_text_is_kept_by_every_database(text: str) -> None:
    """Whatever it was; what was fine stays as it is, and nothing is lost but what was no character."""
    mended = wire.mended(text)
    assert wire.checked_text(mended, "the text") == wire.mended(mended) == mended
    assert mended == text or re.search("[\0\ud800-\udfff]", text)
    assert len(mended) + len(re.findall("[\ud800-\udbff][\udc00-\udfff]", text)) == len(text)
