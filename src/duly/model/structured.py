"""The JSON value in a model's answer: thinking and fences are taken off, then Pydantic says whether it fits.

Broken JSON is repaired only when the model said that it had finished: a repair completes a cut-off answer
without a word.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from duly.model import wire

_THINK, _THOUGHT = (re.compile(word, re.IGNORECASE) for word in ("<think>", "</think>"))
_END_OF_THOUGHT = re.compile(r"^.*</think>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"(```|~~~)[a-z0-9_-]*\s*\n", re.IGNORECASE)
_BEGIN = re.compile(r"[\[{]")
#: Characters of an answer that a repair may see, and errors that a model is told.
MOST_REPAIRED, MOST_ERRORS = 400_000, 8
#: Characters of an error that is no validator's own.
MOST_PROBLEM = 500
#: Places in a text that are tried as the beginning of a JSON value.
MOST_BEGINNINGS = 50


class Found(NamedTuple):
    """What an answer held: the value as plain JSON, or what is wrong with it."""

    value: Any = None
    problem: str | None = None
    repaired: bool = False


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a Pydantic model, or of any type that Pydantic knows."""
    return TypeAdapter(kind).json_schema()


def value_of(kind: Any, plain: Any) -> Any:
    """A value of this type from its plain JSON."""
    return TypeAdapter(kind).validate_python(plain, strict=False)


def found(text: str, finish_reason: str, kind: Any) -> Found:
    """What an answer holds for this type."""
    bare = stripped(text)
    plain, repaired = _first_value(bare), False
    if plain is None:
        if finish_reason != "stop":
            return Found(problem=f"the answer was cut off ({finish_reason})")
        plain, repaired = _repaired(bare), True
    if plain is None:
        return Found(problem="the answer holds no JSON value")
    adapter = TypeAdapter(kind)
    try:
        value = adapter.dump_python(adapter.validate_python(plain[0]), mode="json", by_alias=True)
    except ValidationError as error:
        return Found(problem=wire.mended(_told(error)), repaired=repaired)
    except Exception as error:  # noqa: BLE001 - a validator may raise anything, and the answer is paid for
        problem = f"the value cannot be read: {type(error).__name__}: {error}"
        return Found(problem=wire.mended(problem[:MOST_PROBLEM]), repaired=repaired)
    return Found(value=value, repaired=repaired)


def stripped(text: str) -> str:
    """The answer without its thoughts, and without a fence around all of it. In one pass: a model that does
    not stop writes the same few characters again and again."""
    bare = _END_OF_THOUGHT.sub("", _without_thoughts(text.lstrip("\ufeff"))).strip()
    fence = _FENCE.match(bare)
    if fence is None or not bare.endswith(fence[1]):
        return bare
    return bare[fence.end() : -3].strip()


def _without_thoughts(text: str) -> str:
    kept, at = list[str](), 0
    while (begin := _THINK.search(text, at)) and (end := _THOUGHT.search(text, begin.end())):
        kept.append(text[at : begin.start()])
        at = end.end()
    return "".join([*kept, text[at:]])


def _first_value(text: str) -> tuple[Any] | None:
    """The first JSON value; one with keys or items, unless the whole text is one."""
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        pass
    decoder = json.JSONDecoder()
    for begin in [found.start() for found in _BEGIN.finditer(text)][:MOST_BEGINNINGS]:
        try:
            value = decoder.raw_decode(text, begin)[0]
        except (ValueError, RecursionError):
            return None  # what begins here is broken; a part of it is not the answer
        if value:
            return (value,)
    return None


def _repaired(text: str) -> tuple[Any] | None:
    if len(text) > MOST_REPAIRED or not _BEGIN.search(text):
        return None
    try:
        import json_repair

        value = json_repair.loads(text)
    except (ImportError, ValueError, RecursionError):
        return None
    return (value,) if isinstance(value, dict | list) and value else None


def _told(error: ValidationError) -> str:
    """What is wrong, in words that a model can use."""
    lines = [
        f"{'.'.join(map(str, one['loc'])) or 'the value'}: {one['msg']}"
        for one in error.errors(include_url=False)
    ]
    more = [f"and {len(lines) - MOST_ERRORS} more"] if len(lines) > MOST_ERRORS else []
    return "; ".join([*lines[:MOST_ERRORS], *more])
