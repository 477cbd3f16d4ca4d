"""What a caller already has: entity tags and If-None-Match (RFC 9110, 8.8.3 and 13.1.2)."""

from __future__ import annotations

import hashlib
import re

from starlette.requests import Request

_TAGS = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_HEADER_LIMIT = 8192


def etag(body: bytes) -> str:
    """The weak entity tag of an answer: the same bytes have the same."""
    return f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'


def asks(request: Request) -> bool:
    """Whether the caller says what it has."""
    return "if-none-match" in request.headers


def has(request: Request, tag: str) -> bool:
    """Whether the caller has what `tag` names already; by weak comparison, as the standard wants here."""
    given = ",".join(request.headers.getlist("if-none-match"))[:_HEADER_LIMIT]
    return given.strip() == "*" or tag.removeprefix("W/").strip('"') in _TAGS.findall(given)
