"""Parts of a file: Range, If-Range, 206 and 416 (RFC 9110, 14), always as an attachment."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from duly.http.conditional import asks, has
from duly.http.edge import is_head
from duly.http.problems import problem

_RANGE = re.compile(r"bytes\s*=\s*(?:(\d{1,18})\s*-\s*(\d{0,18})|-\s*(\d{1,18}))\s*", re.IGNORECASE)
#: A browser that opens an attachment all the same runs nothing of it.
SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """What can be downloaded; `read(first, last)` yields the bytes from `first` to `last` inclusive."""

    name: str
    size: int
    tag: str
    media_type: str
    read: Callable[[int, int], AsyncIterator[bytes]]


def send(request: Request, file: File) -> Response:
    """The file, or the part of it that the caller asks for."""
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": f'"{file.tag}"',
        "Content-Disposition": disposition(file.name),
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": SANDBOX,
    }
    if asks(request) and has(request, headers["ETag"]):
        return Response(status_code=304, headers={"ETag": headers["ETag"]})
    found = wanted(request, file)
    if found is None:
        span = {"Content-Range": f"bytes */{file.size}"}
        detail = f"the file has {file.size} bytes"
        return problem(request, 416, "range_not_satisfiable", detail, headers=span)
    first, last = found
    status = 200
    if (first, last) != (0, file.size - 1) or _is_asked(request, file):
        status, headers["Content-Range"] = 206, f"bytes {first}-{last}/{file.size}"
    headers["Content-Length"] = str(last - first + 1)
    if is_head(request):
        return Response(status_code=status, headers=headers, media_type=file.media_type)
    return StreamingResponse(file.read(first, last), status, headers, file.media_type)


def wanted(request: Request, file: File) -> tuple[int, int] | None:
    """The first and the last byte that the caller wants; None: there are no such bytes.

    What cannot be read, several ranges, and a range of another version mean the whole file.
    """
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    end = file.size - 1
    if match is None or not _is_asked(request, file):
        return 0, end
    if match[3] is not None:
        return (max(0, file.size - int(match[3])), end) if int(match[3]) else None
    first, last = int(match[1]), int(match[2] or end)
    if match[2] and last < first:
        return 0, end
    return (first, min(last, end)) if first <= end else None


def _is_asked(request: Request, file: File) -> bool:
    """Whether there is a range to heed; If-Range wants the strong tag of what we have."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or (match[1] and match[2] and int(match[2]) < int(match[1])):
        return False
    return request.headers.get("if-range", f'"{file.tag}"') == f'"{file.tag}"'


def disposition(name: str) -> str:
    """Content-Disposition for a name of any letters (RFC 6266, RFC 8187); nothing in it ends the header."""
    plain = re.sub(r"[^A-Za-z0-9 ._-]", "_", name)[:100] or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
