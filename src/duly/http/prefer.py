"""The request headers that shape an answer: Prefer (RFC 7240), Idempotency-Key, Last-Event-ID."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.requests import Request

from duly.model.errors import InvalidInput

_PREFERENCE = re.compile(
    r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s";]*))?\s*(?:;.*)?'
)
_PARTS = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_SF_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"\s*(?:;.*)?')
_BARE = re.compile(r"[!#-~]+")


class BadHeader(InvalidInput):
    """A request header cannot be read."""

    code = "bad_header"
    http_status = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """How long the caller likes to wait (seconds, capped), and what to say about it."""

    wait: float = 0
    applied: str = ""


def preference(request: Request, limit: float) -> Preference:
    """The caller's `wait` and `respond-async`; others are ignored, and so is what cannot be read."""
    found: dict[str, str] = {}
    for one in _PARTS.findall(",".join(request.headers.getlist("prefer"))[:1000]):
        match = _PREFERENCE.fullmatch(one)
        if match:
            found.setdefault(match[1].lower(), (match[2] or "").strip('"'))
    seconds = found.get("wait", "")
    wait = min(float(seconds), limit) if re.fullmatch(r"[0-9]{1,9}", seconds) else None
    applied = ["respond-async"] if "respond-async" in found else []
    applied += [] if wait is None else [f"wait={wait:g}"]
    return Preference(wait=wait or 0, applied=", ".join(applied))


def idempotency_key(request: Request) -> str | None:
    """The Idempotency-Key, quoted (a structured-field string) or bare; both spell the same key.

    Raises:
        BadHeader: empty, sent twice, or not printable ASCII.
    """
    given = [one.strip() for one in request.headers.getlist("idempotency-key")]
    if not given:
        return None
    if len(given) > 1:
        raise BadHeader("Idempotency-Key was sent more than once")
    if quoted := _SF_STRING.fullmatch(given[0]):
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    else:
        key = given[0] if _BARE.fullmatch(given[0]) else ""
    if not key.strip():
        raise BadHeader('Idempotency-Key must be a quoted string such as "8e03978e-40d5" or a bare word')
    return key


def last_event_id(request: Request) -> str:
    """What an SSE reader has seen last, as the stream named it; empty when it has seen nothing."""
    return request.headers.get("last-event-id", "")[:64]
