"""What stands before the routes, as plain ASGI middleware (Starlette's base class would break streaming)."""

from __future__ import annotations

import re
import traceback
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from duly.http.identity import identify
from duly.http.parts import parts
from duly.http.problems import on_duly_error, problem, unexpected
from duly.model.errors import DulyError

#: Where files come raw.
UPLOADS = "/api/uploads"
#: What a multipart form may add around its file.
FORM_MARGIN = 65_536
#: Where in a request's scope headers stand that its answer gets, whatever it is.
EXTRA = "duly.headers"
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST = re.compile(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(?::\d{1,5})?")


class Harden:
    """Response headers that browsers need to be told; a route's own are kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extra: dict[str, str] = {}

        async def harden(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(extra)
                _harden(headers)
            await send(message)

        await self._app({**scope, EXTRA: extra}, receive, harden)


def _harden(headers: MutableHeaders) -> None:
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    if "json" in headers.get("content-type", ""):
        headers.setdefault("Cache-Control", "no-store")
        headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")


class Unexpected:
    """Turns a crash into a problem without internals; the log has them. A response under way is cut off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] != "http.response.debug"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            return
        except Exception as error:
            _tell(scope, error)
            if started or scope["type"] != "http":
                raise
            await unexpected(Request(scope), error)(scope, receive, send)


def _tell(scope: Scope, error: Exception) -> None:
    emit = parts(Request({**scope, "type": "http"})).app.emit
    text = "".join(traceback.format_exception(error))
    emit("http.error", method=scope.get("method"), path=scope.get("path"), error=repr(error), traceback=text)


class HeadAsGet:
    """HEAD is GET without the body; a route that streams asks `is_head` and sends headers only."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET", "duly.head": True}, receive, without_body)


def is_head(request: Request) -> bool:
    """Whether the caller wants the headers only."""
    return bool(request.scope.get("duly.head"))


class LoopbackOnly:
    """Only loopback names as Host, only loopback pages as Origin: against DNS rebinding and foreign pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _foreign(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(1008)
        else:
            await refusal(scope, receive, send)


def _foreign(scope: Scope) -> Response | None:
    connection = Request({**scope, "type": "http"})
    if not _is_loopback(connection.headers.getlist("host")):
        return problem(connection, 400, "foreign_host", "auth = loopback answers to loopback names only")
    origins = connection.headers.getlist("origin")
    local = [one.partition("://")[2] for one in origins if one.lower().startswith(("http://", "https://"))]
    if origins and not (len(local) == len(origins) and _is_loopback(local)):
        return problem(
            connection, 403, "foreign_origin", "auth = loopback answers to pages of this host only"
        )
    return None


def _is_loopback(hosts: list[str]) -> bool:
    match = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    return match is not None and match[1] in LOOPBACK_NAMES


class BodyTooLarge(HTTPException):
    """Raised while a body is read; an HTTPException, for the framework turns any other into a 400."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes")


class BodyLimits:
    """Caps each body, with and without Content-Length; files are read for known callers only."""

    def __init__(self, app: ASGIApp, *, body: int, upload: int) -> None:
        self._app = app
        self._body = body
        self._upload = upload + FORM_MARGIN

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        form = headers.get("content-type", "").lower().startswith("multipart/form-data") or (
            scope["method"] == "POST" and scope["path"].endswith(UPLOADS)
        )
        limit = self._upload if form else self._body
        refusal = await _refusal(scope, headers, limit, form=form)
        if refusal is None:
            await self._app(scope, _counted(receive, limit), send)
        else:
            await refusal(scope, receive, send)


async def _refusal(scope: Scope, headers: Headers, limit: int, *, form: bool) -> Response | None:
    connection = Request(scope)
    if b"%00" in scope["query_string"]:  # PostgreSQL's texts hold no NUL
        return problem(connection, 422, "invalid_input", "the query holds a NUL")
    if headers.get("content-encoding", "identity").lower() != "identity":
        return problem(connection, 415, "unsupported_media_type", "compressed bodies are not accepted")
    length = headers.get("content-length", "0")
    if length.isdecimal() and (len(length) > 18 or int(length) > limit):
        closing = {"Connection": "close"}
        return problem(
            connection, 413, "too_large", f"the body is larger than {limit} bytes", headers=closing
        )
    try:
        if form:
            await identify(connection)
    except DulyError as error:
        return await on_duly_error(connection, error)
    return None


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counted() -> MutableMapping[str, Any]:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise BodyTooLarge(limit)
        return message

    return counted
