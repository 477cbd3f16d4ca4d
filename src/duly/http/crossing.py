"""CORS: what pages of the setting `origins` may send and read; nobody else's pages are told anything of it.

A page elsewhere comes with a token, or has a read token in the address; never with the session's cookie, so
credentials are not allowed. Starlette's middleware tells foreign pages too what it would allow to others.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = "GET, POST, PUT, PATCH, DELETE"
#: What is sent along: by programs of ours, and by what the API's description names.
SENT = (
    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Prefer, If-None-Match, X-Request-Id, "
    "Range, If-Range, Content-Disposition, Content-Digest, Repr-Digest"
)
#: What a page may read of an answer, besides what any page may.
READ = (
    "Location, ETag, Retry-After, Link, RateLimit, RateLimit-Policy, Preference-Applied, X-Request-Id, "
    "Idempotency-Replayed, Duly-Retention, Deprecation, Sunset, Content-Range, Content-Disposition"
)
#: Seconds that a browser keeps what it was told.
KEPT = "600"


class Crossing:
    """Answers the preflights of listed origins, and lets their pages read the answers."""

    def __init__(self, app: ASGIApp, *, origins: frozenset[str]) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = self._told(Headers(scope=scope))

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(told)
                headers.add_vary_header("Origin")
            await send(message)

        asks = scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope)
        await (Response(status_code=204) if told and asks else self._app)(scope, receive, tell)

    def _told(self, headers: Headers) -> dict[str, str]:
        """What a listed page's browser is told; nothing for any other."""
        given = headers.getlist("origin")
        if len(given) != 1 or given[0].lower() not in self._origins:
            return {}
        told = {"Access-Control-Allow-Origin": given[0]}
        if "access-control-request-method" not in headers:
            return {**told, "Access-Control-Expose-Headers": READ}
        sent = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Allow-Headers": SENT}
        return {**told, **sent, "Access-Control-Max-Age": KEPT}
