"""The JSON value in a model's answer: thinking and fences are taken off, then Pydantic says whether it fits.

Broken JSON is repaired only when the model said that it had finished: a repair completes a cut-off answer
without a word.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from duly.model import repair, wire
from duly.model.errors import InvalidInput

_THINK, _THOUGHT = (re.compile(word, re.IGNORECASE) for word in ("<think>", "</think>"))
_END_OF_THOUGHT = re.compile(r"^.*</think>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"(```|~~~)[a-z0-9_-]*\s*\n", re.IGNORECASE)
_BEGIN = re.compile(r"[\[{]")
#: Errors that a model is told.
MOST_ERRORS = 8
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
    """A value of this type from its plain JSON, by the rules for JSON: a strict model takes its date."""
    return TypeAdapter(kind).validate_json(json.dumps(plain))


def found(text: str, finish_reason: str, kind: Any) -> Found:
    """What an answer holds for this type."""
    plain, repaired = _as_it_stands(text), False
    if plain is None:
        bare = stripped(text)
        plain = _first_value(bare)
    if plain is None:
        if finish_reason != "stop":
            return Found(problem=f"the answer was cut off ({finish_reason})")
        try:
            plain, repaired = repair.repaired(bare), True
        except repair.TooBroken:
            return Found(problem="the answer is no JSON, and too long or too broken to be repaired")
    if plain is None:
        return Found(problem="the answer holds no JSON value")
    return checked(kind, plain[0])._replace(repaired=repaired)


def checked(kind: Any, plain: Any) -> Found:
    """What is kept of a JSON value if it fits this type: itself, and its type reads it anew each time."""
    try:
        if not _is_keepable(plain):
            return _what_is_keepable(kind, plain)
        value_of(kind, plain)
    except ValidationError as error:
        return Found(problem=wire.mended(_told(error)))
    except Exception as error:  # noqa: BLE001 - a validator may raise anything, and the answer is paid for
        problem = f"the value cannot be read: {type(error).__name__}: {error}"
        return Found(problem=wire.mended(problem[:MOST_PROBLEM]))
    return Found(value=plain)


def _is_keepable(plain: Any) -> bool:
    try:
        wire.dumps(plain)
    except InvalidInput:
        return False
    return True


def _what_is_keepable(kind: Any, plain: Any) -> Found:
    """What is kept where NaN, half a character or too large a number stands: what its type makes of it, if
    that can be read again."""
    adapter = TypeAdapter(kind)
    fits = adapter.validate_python(plain)
    value = adapter.dump_python(fits, mode="json", by_alias=True)
    if _is_lost(adapter.dump_python(fits, by_alias=True), value):
        return Found(problem="NaN and Infinity are no JSON numbers")
    if _is_keepable(value):
        value_of(kind, value)
    return Found(value=value)


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


def _as_it_stands(text: str) -> tuple[Any] | None:
    """The list or object that the whole text is: what looks like a thought in it is a part of it."""
    try:
        value = json.loads(text.lstrip("\ufeff").strip())
    except (ValueError, RecursionError):
        return None
    return (value,) if isinstance(value, list | dict) else None


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


def _is_lost(value: Any, plain: Any) -> bool:
    """Whether a number that JSON does not know became null on its way from Python to JSON."""
    match value:
        case float():
            return plain is None and not math.isfinite(value)
        case dict():
            pairs = zip(value.values(), plain.values(), strict=False) if isinstance(plain, dict) else ()
        case list() | tuple() | set() | frozenset():
            pairs = zip(value, plain, strict=False) if isinstance(plain, list) else ()
        case _:
            return False
    return any(_is_lost(*pair) for pair in pairs)


def _told(error: ValidationError) -> str:
    """What is wrong, in words that a model can use."""
    lines = [
        f"{'.'.join(map(str, one['loc'])) or 'the value'}: {one['msg']}"
        for one in error.errors(include_url=False)
    ]
    more = [f"and {len(lines) - MOST_ERRORS} more"] if len(lines) > MOST_ERRORS else []
    return "; ".join([*lines[:MOST_ERRORS], *more])
