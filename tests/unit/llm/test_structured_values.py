"""What is recorded of an answer is its own JSON; its type reads that once each time, as JSON."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from duly.model.structured import found, value_of
from support.models import Share


class Words(BaseModel):
    """A text, read as a list."""

    words: list[str]

    @field_validator("words", mode="before")
    @classmethod
    def _split(cls, words: Any) -> Any:
        return words.split(",")


class Named(BaseModel):
    """It is written by another name, and without what is secret."""

    name: str = Field(serialization_alias="called")
    secret: str = Field(exclude=True)


class Day(BaseModel):
    """In JSON a date is a text."""

    model_config = ConfigDict(strict=True)

    day: dt.date


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Share, '{"share": 50}'),
        (Words, '{"words": "a,b"}'),
        (Named, '{"name": "a", "secret": "b"}'),
        (Day, '{"day": "2026-12-01"}'),
        (list[Share], '[{"share": 50}]'),
    ],
)
def test_a_value_is_read_once_whenever_it_is_read(kind: Any, text: str) -> None:
    """What a validator makes of it is not given to it again."""
    answer = found(text, "stop", kind)
    assert answer.problem is None
    whole = value_of(dict[str, kind], {"value": answer.value})["value"]
    assert whole == value_of(kind, answer.value)
    if kind is Share:
        assert whole.share == 0.5


@pytest.mark.parametrize("more", ["12345678901234567890", '"\\ud800"', '"\\u0000"'])
def test_what_cannot_be_kept_and_is_left_out_costs_nothing(more: str) -> None:
    """Then what its type makes of the rest is kept."""
    assert found(f'{{"share": 50, "more": {more}}}', "stop", Share).value == {"share": 0.5}


@pytest.mark.parametrize("text", ["<think>b</think>", "a</think>", "```\n{}\n```"])
def test_a_thought_within_a_value_is_a_part_of_it(text: str) -> None:
    """What is JSON as it stands is the answer."""
    value = {"quote": f"{text} end"}
    plain = f'\ufeff {{"quote": "{text} end"}}\n'.replace("\n", "\\n").removesuffix("\\n")
    assert found(plain, "stop", dict[str, str]) == (value, None, False)
