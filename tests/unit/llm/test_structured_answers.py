"""What models wrap around JSON is taken off; what does not fit is said; nothing cut off is completed."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from typing import Any

import json_repair
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_serializer, field_validator

from duly.model import repair
from duly.model.structured import found, schema_of, stripped, value_of


class Bid(BaseModel):
    """What is asked for."""

    name: str
    score: int = 0


GOOD = {"name": "甲公司", "score": 3}


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "甲公司", "score": 3}',
        '```json\n{"name": "甲公司", "score": 3}\n```',
        '<think>maybe {"name": "x"}</think>\n{"name": "甲公司", "score": 3}',
        'thoughts without a beginning</think>{"name": "甲公司", "score": 3}',
        'Here it is: {"name": "甲公司", "score": 3}. Anything else?',
        '\ufeff{"name": "甲公司", "score": 3}',
    ],
)
def test_a_value_is_found_without_a_repair(text: str) -> None:
    """Thoughts, fences and prose around it are no part of it."""
    assert found(text, "stop", Bid) == (GOOD, None, False)


@pytest.mark.parametrize("text", ["{'name': '甲公司', 'score': 3,}", '{"name": "甲公司", "score": 3'])
def test_broken_json_is_repaired_and_that_is_said(text: str) -> None:
    """Only of an answer that was finished."""
    assert found(text, "stop", Bid) == (GOOD, None, True)
    assert found(text, "length", Bid).problem == "the answer was cut off (length)"


@pytest.mark.parametrize(
    "text",
    [
        '{"' * 900,
        "{" * 100_000,
        "{a:b " * 20_000,
        '["' + 'a"a":":}' * 12_000,
        "['" + "a" * repair.MOST_CHARACTERS,
    ],
    ids=["quotes", "braces", "words", "flat", "long"],
)
def test_what_cannot_be_repaired_cheaply_is_given_up(text: str) -> None:
    """A repair looks at its text so often and no more: it does not fit, as any other that cannot be read."""
    problem = "the answer is no JSON, and too long or too broken to be repaired"
    assert found(text, "stop", Any) == (None, problem, False)


def test_a_long_answer_is_repaired_within_the_bound() -> None:
    """What is broken by mistake is looked at about twice."""
    rows = [{"name": f"甲公司 {n}", "quote": "投标人须在规定时间内递交投标文件。" * 5} for n in range(700)]
    text = f"{rows}"[:-1]
    assert len(text) > 0.7 * repair.MOST_CHARACTERS
    assert found(text, "stop", list[dict[str, str]]) == (rows, None, True)


def test_a_text_that_was_put_together_is_bounded() -> None:
    """With pieces of it, and as a whole."""
    text = repair._Bounded.of("{a")
    both = text[:1] + "b" + text[1:]
    assert both == "{ba"
    with pytest.raises(repair.TooBroken):
        deque((both[0] for _ in range(repair.MOST_LOOKS)), maxlen=0)


BROKEN = ["{", "}", "[", "]", '"', "'", ":", ",", "a", "1", "\\", " ", "//", "“", "true", '"a":']


@given(st.lists(st.sampled_from(BROKEN), max_size=14).map("".join))
def test_a_bounded_repair_is_the_repair(text: str) -> None:
    """The same value, of plain text."""
    try:
        whole = json_repair.loads("[" + text)
    except ValueError:
        whole = None
    value = repair.repaired("[" + text)
    assert value == ((json.loads(json.dumps(whole)),) if isinstance(whole, dict | list) and whole else None)
    assert "_Bounded" not in {type(one).__name__ for one in (value[0] if value else ())}


class Open(BaseModel):
    """Anything may stand in it."""

    name: Any


class Noted(BaseModel):
    """It says itself how such a number is written."""

    value: float

    @field_serializer("value", when_used="json")
    def _said(self, value: float) -> str:
        return str(value)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", '[{"a": [NaN]}]'])
def test_a_number_that_json_does_not_know_does_not_fit(number: str) -> None:
    """Where any value may stand, it would become null without a word."""
    text = f'{{"name": {number}}}'
    for kind in (Open, dict[str, Any], Any):
        assert found(text, "stop", kind) == (None, "NaN and Infinity are no JSON numbers", False)
    assert found('{"name": null}', "stop", dict[str, Any]).value == {"name": None}


def test_such_a_number_may_stand_where_it_is_not_lost() -> None:
    """In what is left out, and where the type says how it is written."""
    assert found('{"name": "甲公司", "score": 3, "more": NaN}', "stop", Bid).value == GOOD
    assert found('{"value": NaN}', "stop", Noted).value == {"value": "nan"}


def test_what_does_not_fit_is_said_by_field() -> None:
    """In words that the model can use."""
    problem = found('{"score": "many"}', "stop", Bid).problem
    assert problem is not None
    assert "name: Field required" in problem
    assert "score:" in problem


@pytest.mark.parametrize("text", ["I cannot help with that.", "", "{}", "[" * 20_000])
def test_a_refusal_is_no_value(text: str) -> None:
    """Nor is anything that only looks like one."""
    assert found(text, "stop", Bid).problem


def test_a_value_comes_back_as_its_type() -> None:
    """From what was recorded."""
    assert value_of(Bid, GOOD) == Bid(name="甲公司", score=3)
    assert schema_of(list[Bid])["type"] == "array"


class Picky(BaseModel):
    """Its validator raises what it should not."""

    name: Any

    @field_validator("name")
    @classmethod
    def _short(cls, name: Any) -> Any:
        if name[-1] == "\ud800":
            raise LookupError(name)
        return name


@pytest.mark.parametrize("name", ["5", "null", '"\\ud800"', '{"a": 1}'])
def test_a_validator_may_raise_anything(name: str) -> None:
    """Then the answer does not fit; what is said of it is text that every database keeps."""
    problem = found(f'{{"name": {name}}}', "stop", Picky).problem
    assert problem is not None
    assert problem.startswith("the value cannot be read: ")
    assert problem.encode()


@pytest.mark.parametrize("key", ["\\u0000", "\\ud800"])
def test_what_does_not_fit_is_said_in_text_that_is_kept(key: str) -> None:
    """The name of a field may hold anything."""
    problem = found(f'{{"{key}": "x"}}', "stop", dict[str, int]).problem
    assert problem is not None
    assert problem.startswith("\ufffd")
    assert problem.encode()


OLD = [
    re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE),
    re.compile(r"^.*</think>", re.DOTALL | re.IGNORECASE),
]
OLD_FENCE = re.compile(r"\s*(```|~~~)[a-z0-9_-]*\s*\n(.*?)\n?\s*\1\s*", re.DOTALL | re.IGNORECASE)
BITS = ["<think>", "</think>", "<THINK>", "</Think>", "```", "~~~", "`", "json", "\n", " ", "{}", "a", "<"]


@given(st.lists(st.sampled_from(BITS), max_size=14).map("".join))
def test_thoughts_and_fences_are_what_the_expressions_say(text: str) -> None:
    """They say it short, and take for ever over some texts."""
    bare = text
    for one in OLD:
        bare = one.sub("", bare)
    fenced = OLD_FENCE.fullmatch(bare)
    assert stripped(text) == (fenced[2] if fenced else bare).strip()


@pytest.mark.parametrize(
    "text",
    ["<think>" * 10_000, "</think>" * 10_000, "```\n" + "\n" * 1_000, "```" + " \n" * 750, "```a" * 20_000],
    ids=["thoughts", "ends", "lines", "spaces", "fences"],
)
def test_a_model_that_does_not_stop_costs_no_time(text: str) -> None:
    """It writes the same few characters until its tokens are used up: that is read in one pass."""
    began = time.process_time()
    stripped(text)
    assert time.process_time() - began < 1
