"""Who opens a WebSocket, from which page, and until when: a ticket, a subprotocol's token, or a header's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from duly.http.identity import KEPT, Principal, authorise, holds, identify
from duly.http.parts import parts
from duly.model.errors import NotAllowed
from duly.runtime.app import App
from duly.store import tickets

PROTOCOL = "duly.v1"
BEARER = "duly.bearer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is at the other end of a socket, and what he showed; a ticket is gone, its holder is not."""

    principal: Principal
    shown: HTTPConnection | None
    app: App

    async def still(self) -> bool:
        """Whether he may stay: his credentials are looked at anew."""
        now, until = self.app.clock.now_ms(), self.principal.expires_at
        if until is not None and until <= now:
            return False
        try:
            if self.shown is not None:
                return await identify(_anew(self.shown)) == self.principal
            return await holds(self.app, self.principal)
        except NotAllowed:
            return False


async def admit(websocket: WebSocket) -> Visitor:
    """Who it is.

    Raises:
        NotAllowed: a foreign page's, or no credentials, or any that are not exactly right.
    """
    if not own_page(websocket):
        raise NotAllowed("this page's origin is not allowed; see the setting `origins`")
    given = websocket.query_params.getlist("ticket")
    if given:
        return await _holder(websocket, given)
    shown = _with_token(websocket)
    return _visitor(websocket, await identify(shown), shown)


def _visitor(websocket: WebSocket, principal: Principal, shown: HTTPConnection | None) -> Visitor:
    authorise(principal, websocket)
    return Visitor(principal=principal, shown=shown, app=parts(websocket).app)


def own_page(websocket: WebSocket) -> bool:
    """Whether the page is of this host or of an allowed origin; programs that are no pages name none."""
    origins = websocket.headers.getlist("origin")
    if not origins:
        return True
    allowed = parts(websocket).app.settings.allowed_origins
    origin = origins[0].lower()
    page, hosts = urlsplit(origin), websocket.headers.getlist("host")
    same = page.scheme in ("http", "https") and [page.netloc] == [one.lower() for one in hosts]
    return len(origins) == 1 and origin != "null" and (same or origin in allowed)


async def _holder(websocket: WebSocket, given: list[str]) -> Visitor:
    use = tickets.Use(secret=given[0], route=websocket.scope["path"])
    found = await parts(websocket).app.database.write(tickets.use, use)
    if found is None or len(given) > 1:
        raise NotAllowed(presented=True)
    principal = Principal.restored(json.loads(found))
    if not await holds(parts(websocket).app, principal):
        raise NotAllowed(presented=True)
    return _visitor(websocket, principal, None)


def _with_token(websocket: WebSocket) -> HTTPConnection:
    """The request as `identify` reads it: a browser's token stands among its subprotocols."""
    tokens = [one.removeprefix(BEARER) for one in websocket.scope["subprotocols"] if one.startswith(BEARER)]
    shown = [(b"authorization", f"Bearer {one}".encode("latin-1", "replace")) for one in tokens]
    headers = [*websocket.scope["headers"], *shown]
    return HTTPConnection({**websocket.scope, "headers": headers})


def protocol(websocket: WebSocket) -> str | None:
    """What to answer: our protocol if it was offered, never the token."""
    return PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None


def _anew(shown: HTTPConnection) -> HTTPConnection:
    """The same request, before anybody knew who it is."""
    return HTTPConnection({key: value for key, value in shown.scope.items() if key != KEPT})
