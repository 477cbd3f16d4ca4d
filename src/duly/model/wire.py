"""The strict JSON codec: what passes here is kept unchanged by SQLite, PostgreSQL and MariaDB.

Refused: NaN and Infinity, numbers beyond ±(2^53 - 1) or out of a double's range, U+0000, lone
surrogates, duplicate keys, more than 30 levels. Evidence: the databases disagree on each of these.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import hashlib
import json
import re
import uuid
from typing import Any

from duly.model.errors import InvalidInput, MalformedJson, TooLarge

MAX_DEPTH = 30
MAX_INTEGER = 2**53 - 1


def loads(body: bytes | str, *, limit: int | None = None) -> Any:
    """The JSON value of `body`.

    Raises:
        TooLarge: more than `limit` bytes.
        MalformedJson: not JSON, or refused for one of the module's reasons.
    """
    if limit is not None and len(body) > limit:
        raise TooLarge(f"the body has {len(body)} bytes; the limit is {limit}")
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        if text.startswith("\ufeff"):
            raise MalformedJson("the JSON begins with a byte order mark")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the body is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise MalformedJson(f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(f"not JSON: {error.msg} (line {error.lineno} column {error.colno})") from None
    _inspect(value)
    return value


def dumps(value: Any, *, what: str = "the value") -> str:
    """Compact JSON of a value that a handler returned; dataclasses, pydantic models and dates included.

    Raises:
        InvalidInput: it cannot be written as JSON, or is refused for one of the module's reasons.
    """
    try:
        text = _ENCODER.encode(value)
        if not _surely_fine(text, value):
            loads(text)
    except (TypeError, ValueError, RecursionError, MalformedJson) as error:
        raise InvalidInput(f"{what} cannot be kept as JSON: {error}", code="not_json") from None
    return text


def loads_own(text: str) -> Any:
    """The value of a text that `dumps` made: nothing is checked again."""
    return _QUICK(text)[0]


def _surely_fine(text: str, value: Any) -> bool:
    """Whether nothing in the text can be refused, seen without a walk; `loads` knows for sure.

    A value that comes back equal had no two keys that are written alike.
    """
    if _SUSPICIOUS.search(text) or text.count("[") + text.count("{") > MAX_DEPTH:
        return False
    text.encode("utf-8")  # a lone surrogate is a ValueError
    return bool(_QUICK(text)[0] == value)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the value's canonical JSON: equal values have equal digests."""
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):  # pydantic, without importing it
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | decimal.Decimal):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is not JSON")


def _no_constant(text: str) -> Any:
    raise MalformedJson(f"{text} is not a JSON number")


def _integer(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise MalformedJson(f"the number {text[:20]} is beyond ±(2^53 - 1); send it as a string")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MalformedJson(f"the number {text[:20]} is out of range; send it as a string")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedJson(f"the key {twice!r} stands twice in one object")
    return value


def _inspect(value: Any, depth: int = 1) -> None:
    """Walks a parsed value: depth and strings."""
    match value:
        case str():
            _text(value)
        case bool() | None | float():
            pass
        case int():
            if abs(value) > MAX_INTEGER:
                raise MalformedJson(f"the number {value} is beyond ±(2^53 - 1); use a string")
        case _ if depth > MAX_DEPTH:
            raise MalformedJson(f"the JSON is nested deeper than {MAX_DEPTH} levels")
        case dict():
            for key, item in value.items():
                _text(key)
                _inspect(item, depth + 1)
        case _:
            for item in value:
                _inspect(item, depth + 1)


def _text(value: str) -> None:
    if "\x00" in value:
        raise MalformedJson("a string holds U+0000")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedJson("a string holds a lone surrogate") from None


#: Made once: `json.loads` and `json.dumps` would make them for each call.
_DECODER = json.JSONDecoder(
    parse_constant=_no_constant,
    parse_int=_integer,
    parse_float=_float,
    object_pairs_hook=_unique_keys,
)
_QUICK = json.JSONDecoder().raw_decode
#: U+0000, or digits enough for a number that is too large.
_SUSPICIOUS = re.compile(r"\\u0000|[0-9]{16}|[eE][+-]?[0-9]{3}")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)


def mended(text: str) -> str:
    """`text` as every database keeps it: surrogates that belong together are joined, those that are alone and
    U+0000 become U+FFFD."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def checked_text(value: Any, what: str) -> str:
    """`value` if it is text that every database keeps.

    Raises:
        InvalidInput: not text, U+0000 or a lone surrogate in it.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be text, not {type(value).__name__}")
    try:
        _text(value)
    except MalformedJson as error:
        raise InvalidInput(f"{what}: {error}") from None
    return value
