"""What models wrap around JSON is taken off; what does not fit is said; nothing cut off is completed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from duly.model.structured import found, schema_of, value_of


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
        '\ufeff{"name": "甲公司", "score": "3"}',
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
