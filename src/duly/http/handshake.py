"""Who opens a WebSocket, from which page, and until when: a ticket, a subprotocol's token, or a header's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import jwt
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from duly.http.identity import Principal, identify
from duly.http.parts import parts
from duly.model.errors import NotAllowed
from duly.store import tickets

PROTOCOL = "duly.v1"
BEARER = "duly.bearer."


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is at the other end of a socket. `until` is when his credentials expire, in ms; None: not known."""

    principal: Principal
    until: int | None
    #: What he showed, to be looked at again; a ticket is gone.
    shown: HTTPConnection | None

    def still(self, now: int) -> bool:
        """Whether he may stay."""
        if self.until is not None and self.until <= now:
            return False
        try:
            return self.shown is None or identify(self.shown) == self.principal
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
    return Visitor(principal=identify(shown), until=expiry(shown), shown=shown)


def own_page(websocket: WebSocket) -> bool:
    """Whether the page is of this host or of an allowed origin; programs that are no pages name none."""
    origins = websocket.headers.getlist("origin")
    if not origins:
        return True
    allowed = {one.strip().rstrip("/").lower() for one in parts(websocket).app.settings.origins.split(",")}
    origin = origins[0].lower()
    page, hosts = urlsplit(origin), websocket.headers.getlist("host")
    same = page.scheme in ("http", "https") and [page.netloc] == [one.lower() for one in hosts]
    return len(origins) == 1 and origin != "null" and (same or origin in allowed - {""})


async def _holder(websocket: WebSocket, given: list[str]) -> Visitor:
    use = tickets.Use(secret=given[0], route=websocket.scope["path"])
    found = await parts(websocket).app.database.write(tickets.use, use)
    if found is None or len(given) > 1:
        raise NotAllowed(presented=True)
    whose = json.loads(found)
    return Visitor(principal=Principal(**whose["principal"]), until=whose["until"], shown=None)


def _with_token(websocket: WebSocket) -> HTTPConnection:
    """The request as `identify` reads it: a browser's token stands among its subprotocols."""
    tokens = [one.removeprefix(BEARER) for one in websocket.scope["subprotocols"] if one.startswith(BEARER)]
    shown = [(b"authorization", f"Bearer {one}".encode("latin-1", "replace")) for one in tokens]
    headers = [*websocket.scope["headers"], *shown]
    return HTTPConnection({**websocket.scope, "headers": headers})


def protocol(websocket: WebSocket) -> str | None:
    """What to answer: our protocol if it was offered, never the token."""
    return PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None


def expiry(connection: HTTPConnection) -> int | None:
    """When the JWT of a request that was let in expires, in ms; None: it has none."""
    token = connection.headers.get("authorization", "").rpartition(" ")[2]
    try:
        return int(1000 * jwt.decode(token, options={"verify_signature": False})["exp"])
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        return None
