"""How much may stand before a body: headers and query are read whole, so they are few and short."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from duly.http.problems import problem

#: Headers of a request, their bytes in all, and the bytes of a query.
MOST_HEADERS, HEADER_BYTES, QUERY_BYTES = 200, 32_768, 16_384


class HeaderLimits:
    """Refuses with 431 what no honest client sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        closing = {"Connection": "close"}
        # Not one of its headers is looked at.
        answer = problem(
            Request({**scope, "headers": []}), 431, "headers_too_large", refusal, headers=closing
        )
        await answer(scope, receive, send)


def _refusal(scope: Scope) -> str | None:
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS:
        return f"a request has at most {MOST_HEADERS} headers"
    # Credentials that are too long are credentials that are wrong: 401.
    size = sum(len(name) + len(value) for name, value in headers if name != b"authorization")
    if size > HEADER_BYTES:
        return f"headers have at most {HEADER_BYTES} bytes in all"
    if len(scope["query_string"]) > QUERY_BYTES:
        return f"a query has at most {QUERY_BYTES} bytes"
    return None
