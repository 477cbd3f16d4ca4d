"""Every error as RFC 9457 `application/problem+json`: Duly's own, the framework's, and the unexpected."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.websockets import WebSocket

from duly.http import chinese
from duly.http.parts import parts
from duly.http.titles import language, title
from duly.model.errors import DulyError, Moved, NotAllowed, NotReady, QueueFull, QuotaExceeded

MEDIA_TYPE = "application/problem+json"
#: When what went beyond a quota may be sent again, in seconds.
FULL_SECONDS = 5
#: When what a sealed installation refused may be sent again, in seconds.
MOVED_SECONDS = 10
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: The codes of errors that the framework raises, by status.
CODES = {
    400: "bad_request",
    401: "not_allowed",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
    422: "invalid_input",
    431: "headers_too_large",
    500: "internal_error",
    503: "not_ready",
}

_FINDING = {
    "type": "object",
    "required": ["detail", "pointer"],
    "properties": {"detail": {"type": "string"}, "pointer": {"type": "string"}},
}
#: A problem as JSON Schema.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "An address that explains it."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable, for programs."},
        "instance": {"type": "string"},
        "errors": {"type": "array", "items": _FINDING},
    },
}


def problem(
    connection: HTTPConnection,
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Response:
    """A problem; `type` is stable, texts are in the caller's language, `errors` point into the input."""
    words = language(connection)
    if words == "zh":
        found = [chinese.error(one) for one in errors]
        detail = summary(found) if errors and detail == summary(errors) else chinese.detail(code, detail)
        errors = found
    body: dict[str, Any] = {
        "type": f"/problems/{code.replace('_', '-')}",
        "title": title(code, status, words),
        "status": status,
        "detail": detail,
        "code": code,
        "instance": quote(connection.scope["path"][:500], errors="replace"),
    }
    if errors:
        body["errors"] = list(errors)
    body |= more or {}
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    extra = {**(headers or {}), "Content-Language": words, "Vary": "Accept-Language"}
    return Response(text, status, headers=extra, media_type=MEDIA_TYPE)


async def on_duly_error(connection: HTTPConnection, error: Exception) -> Response | None:
    """Duly's own errors. What has no status of its own is our fault, and is told like any crash."""
    if not isinstance(error, DulyError) or isinstance(connection, WebSocket):
        return await _close(connection)
    match error:
        case NotAllowed(http_status=401):
            challenge = 'Bearer realm="duly"' + (
                ', error="invalid_token"' if error.fields.get("presented") else ""
            )
            return problem(
                connection, 401, error.code, error.message, headers={"WWW-Authenticate": challenge}
            )
        case QuotaExceeded() | QueueFull():
            again = {"Retry-After": str(FULL_SECONDS)}
            return problem(connection, error.http_status, error.code, error.message, headers=again)
        case NotReady():
            parts(connection).app.emit("http.unready", path=connection.scope["path"], error=error.message)
            # Where the database is, or has moved to, is for the log.
            moved = isinstance(error, Moved)
            detail, seconds = (Moved().message, MOVED_SECONDS) if moved else (NotReady().message, 1)
            return problem(connection, 503, error.code, detail, headers={"Retry-After": str(seconds)})
        case DulyError(http_status=status) if status >= 500:
            raise error
    return problem(
        connection, error.http_status, error.code, error.message, errors=error.fields.get("errors", ())
    )


async def on_http_exception(connection: HTTPConnection, error: Exception) -> Response | None:
    """The framework's errors and those that a user's route raises; OPTIONS is answered, not refused."""
    if not isinstance(error, HTTPException) or isinstance(connection, WebSocket):
        return await _close(connection)
    status, headers = error.status_code, dict(error.headers or {})
    if status < 400:
        return Response(status_code=status, headers=headers)
    if status == 405:
        headers["Allow"] = ", ".join(allowed(connection))
        if connection.scope["method"] == "OPTIONS":
            return Response(status_code=204, headers={"Allow": headers["Allow"]})
    code = CODES.get(status, "bad_request" if status < 500 else "internal_error")
    detail = error.detail if isinstance(error.detail, str) else json.dumps(error.detail, default=str)
    return problem(connection, status, code, detail, headers=headers)


async def on_invalid_request(connection: HTTPConnection, error: Exception) -> Response | None:
    """Parameters, and bodies of users' routes, that do not fit their declaration."""
    if not isinstance(error, RequestValidationError) or isinstance(connection, WebSocket):
        return await _close(connection)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return problem(connection, 400, "malformed_json", "the body is not JSON")
    details = pointed(found)
    return problem(connection, 422, "invalid_input", summary(details), errors=details)


HANDLERS: dict[Any, Any] = {
    DulyError: on_duly_error,
    HTTPException: on_http_exception,
    RequestValidationError: on_invalid_request,
}


def pointed(found: Sequence[Any]) -> list[dict[str, str]]:
    """Pydantic's findings as (detail, JSON pointer); what was sent is not repeated."""
    return [{"detail": _said(one), "pointer": "#" + "".join(map(_step, one["loc"]))} for one in found]


def _said(one: Any) -> str:
    return "unknown key" if one["type"] == "extra_forbidden" else str(one["msg"])


def _step(part: str | int) -> str:
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def summary(errors: Sequence[Mapping[str, str]]) -> str:
    """One line that names what is wrong, the first five of it."""
    return "; ".join(f"{one['pointer'].removeprefix('#/')}: {one['detail']}" for one in errors[:5])


def allowed(connection: HTTPConnection) -> list[str]:
    """The methods that this address answers, over all routes; the framework names one route's only.

    An address that is described as it stands, such as /api/tasks/stats, is not also some task's.
    """
    written = connection.app.openapi()["paths"].get(connection.scope["path"])
    scope = {key: value for key, value in connection.scope.items() if key not in ("fastapi", "path_params")}
    routes = connection.app.routes
    found = {
        method
        for method in METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
        and (written is None or method.lower() in written)
    }
    return sorted(found | {"OPTIONS"} | ({"HEAD"} if "GET" in found else set()))


def unexpected(request: Request, error: Exception) -> Response:
    """The 500 that says nothing about our insides; they are in the log. A 503 where this process has no
    descriptor left, which passes."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        busy = NotReady()
        return problem(request, 503, busy.code, busy.message, headers={"Retry-After": "1"})
    return problem(
        request, 500, "internal_error", "The server met an error it did not expect; it is in its log."
    )


async def _close(connection: HTTPConnection) -> Response | None:
    if isinstance(connection, WebSocket):
        await connection.close(1008)
    return None
