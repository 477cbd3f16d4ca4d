"""How one log line is written so that nothing in it can forge another: logfmt or JSON, one line a record.

Whatever is not printable is escaped, line breaks and terminal sequences with it; secrets are masked.
"""

from __future__ import annotations

import functools
import json
import logging
import re
from typing import TYPE_CHECKING, Any

from duly.clock import iso
from duly.observe.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("logfmt", "json")
_MOST = 8000
_PLAIN = re.compile(r"[A-Za-z0-9_.:/@+\-]+")
_NOT_IN_A_KEY = re.compile(r"[^A-Za-z0-9_.\-]")
_OURS = frozenset({"ts", "level", "event", "task_id"})


class LineFormatter(logging.Formatter):
    """Renders events of `Log.emit` and records of any other logger alike."""

    def __init__(self, format: str) -> None:  # noqa: A002 - the setting's name
        super().__init__()
        self._line = _logfmt_line if format == "logfmt" else _json_line

    def format(self, record: logging.LogRecord) -> str:
        """The record's one line."""
        event = getattr(record, "duly_event", None)
        told = {"logger": record.name, "message": _message(record)}
        fields = getattr(record, "duly_fields", {}) if event else told
        if record.exc_info:
            fields = {**fields, "traceback": self.formatException(record.exc_info)}
        at, level = int(record.created * 1000), record.levelname.lower()
        return self.line(at, level, event or "log", getattr(record, "task_id", None), fields)

    def line(self, at: int, level: str, event: str, task_id: str | None, fields: Mapping[str, Any]) -> str:
        """One line, at `at` milliseconds since 1970; a field that is None is left out."""
        told = {"task_id": task_id} if task_id is not None else {}
        told |= {_name(key): _cut(masked(key, value)) for key, value in fields.items() if value is not None}
        return self._line(at, level, event, told)


@functools.lru_cache(maxsize=1024)
def _name(key: str) -> str:
    """A field's name in the line; ours keep their meaning."""
    name = _NOT_IN_A_KEY.sub("_", key) or "_"
    return f"{name}_" if name in _OURS else name


def _logfmt_line(at: int, level: str, event: str, told: Mapping[str, Any]) -> str:
    return f"{_beginning(at, level, event)} {logfmt(told)}".rstrip()


#: Many lines fall into one millisecond.
@functools.lru_cache(maxsize=8)
def _beginning(at: int, level: str, event: str) -> str:
    return logfmt({"ts": iso(at), "level": level, "event": event})


def _json_line(at: int, level: str, event: str, told: Mapping[str, Any]) -> str:
    return json_line({"ts": iso(at), "level": level, "event": event, **told})


def logfmt(fields: Mapping[str, Any]) -> str:
    """`key=value` pairs; a value that is not one plain word is a JSON string."""
    return " ".join([f"{key}={_logfmt_value(value)}" for key, value in fields.items()])


def json_line(fields: Mapping[str, Any]) -> str:
    """One JSON object."""
    try:
        text = json.dumps(fields, ensure_ascii=False, allow_nan=False, default=_text)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps({key: _text(value) for key, value in fields.items()}, ensure_ascii=False)
    return _printable(text)


def _logfmt_value(value: Any) -> str:
    if type(value) is int:
        return str(value)
    text = value if isinstance(value, str) else _text(value)
    if _PLAIN.fullmatch(text):
        return text
    return _printable(json.dumps(_cut(text), ensure_ascii=False))


def _text(value: Any) -> str:
    """Any value as text; a value that cannot say what it is is named by its type."""
    try:
        match value:
            case str():
                return value
            case bool():
                return "true" if value else "false"
            case int() | float():
                return f"{value:g}" if isinstance(value, float) else str(value)
            case BaseException():
                return masked("", repr(value))  # type: ignore[no-any-return]
            case dict() | list():
                return json.dumps(value, ensure_ascii=False, default=_text)
            case _:
                return masked("", str(value))  # type: ignore[no-any-return]
    except Exception:  # noqa: BLE001 - a log line must not fail over what it shows
        return f"<{type(value).__name__}>"


def _cut(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _MOST:
        return f"{value[:_MOST]}… ({len(value)} characters)"
    return value


def _printable(text: str) -> str:
    """The same JSON text with every character that is not printable as a \\u escape."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - wrong arguments in a user's log call
        return str(record.msg)
