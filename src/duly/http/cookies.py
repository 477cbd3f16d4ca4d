"""The browser's session: a signed cookie that names a row, and what proves that one of our pages asks.

A cookie goes along with whatever a foreign page makes the browser send. So what changes something needs the
header X-CSRF-Token, which only a page of ours can read, and must come from our own origin; a WebSocket, which
cannot send headers, must come from there too.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode

import uuid_utils
from starlette.requests import HTTPConnection
from starlette.responses import Response

from duly.http import jwts
from duly.http.parts import parts
from duly.http.permissions import SAFE
from duly.http.principal import ForgedRequest, Principal
from duly.model.access import Scope, granted, role_of
from duly.model.errors import NotAllowed
from duly.runtime.app import App
from duly.store import logins

COOKIE = "duly_session"
CSRF_HEADER = "x-csrf-token"


async def signed_in(connection: HTTPConnection) -> Principal | None:
    """Who has signed in with this browser; None: it shows no cookie.

    Raises:
        NotAllowed: a cookie that is not ours, or whose session has ended.
        ForgedRequest: it would change something, and does not prove that a page of ours asks.
    """
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        return None
    principal = await _holder(parts(connection).app, cookie)
    if connection.scope["type"] == "websocket":
        if not _same_origin(connection):
            raise ForgedRequest
    elif connection.scope["method"] not in SAFE:
        _check_forgery(connection, principal)
    return principal


async def _holder(app: App, cookie: str) -> Principal:
    now = app.clock.now_ms()
    try:
        id_ = jwts.session(cookie, app.credentials.jwt_secret, now / 1000)
    except jwts.WRONG:
        raise NotAllowed(presented=True) from None
    login = await app.database.read(logins.find, id_, now)
    if login is None:
        raise NotAllowed(presented=True)
    role = role_of(login.role)
    return Principal(
        tenant=login.tenant,
        owner=login.owner,
        role=role,
        scopes=granted(role, login.scopes.split() or ["none"]),
        credential="session",
        key_id=login.api_key_id,
        login_id=login.id,
        expires_at=login.expires_at,
    )


def _check_forgery(connection: HTTPConnection, principal: Principal) -> None:
    wanted = csrf(parts(connection).app, str(principal.login_id))
    given = connection.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), wanted.encode()) or not _same_origin(connection):
        raise ForgedRequest


def _same_origin(connection: HTTPConnection) -> bool:
    """Whether a page of this host asks. A proxy may speak https for us, so the scheme does not count."""
    origins = connection.headers.getlist("origin")
    if not origins and connection.scope["type"] == "http":
        return connection.headers.get("sec-fetch-site") == "same-origin"
    if len(origins) != 1 or not origins[0].lower().startswith(("http://", "https://")):
        return False
    public = parts(connection).app.settings.public_url
    ours = {connection.headers.get("host", "").lower(), public.partition("://")[2].partition("/")[0].lower()}
    return origins[0].lower().partition("://")[2] in ours - {""}


def csrf(app: App, login_id: str) -> str:
    """What a page of this session sends with what changes something."""
    digest = hmac.new(app.credentials.jwt_secret.encode(), f"csrf:{login_id}".encode(), hashlib.sha256)
    return urlsafe_b64encode(digest.digest()).decode().rstrip("=")


async def begin(app: App, principal: Principal) -> tuple[str, str, int]:
    """A new session of this caller: its id, its cookie's value, and for how many seconds it holds."""
    now = app.clock.now_ms()
    ends = now + round(app.settings.session_hours * 3_600_000)
    ends = ends if principal.expires_at is None else min(ends, principal.expires_at)
    seconds = max((ends - now) // 1000, 1)
    login = logins.NewLogin(
        id=str(uuid_utils.uuid7()),
        role=principal.role,
        scopes=" ".join(one for one in Scope if one in principal.granted),
        tenant=principal.tenant,
        owner=principal.owner,
        api_key_id=principal.key_id,
        expires_at=ends,
    )
    await app.database.write(logins.begin, login)
    claims = {"sid": login.id, "sub": login.owner, "tenant": login.tenant}
    secret = app.credentials.jwt_secret
    cookie = jwts.signed(secret, jwts.SESSION_TYPE, claims, now=now / 1000, seconds=seconds)
    return login.id, cookie, seconds


def put_cookie(response: Response, connection: HTTPConnection, value: str, seconds: int) -> None:
    """Sets the cookie, or takes it away: a lifetime of 0."""
    public = parts(connection).app.settings.public_url
    secure = connection.url.scheme in ("https", "wss") or public.startswith("https://")
    response.set_cookie(
        COOKIE, value, max_age=seconds, path="/", secure=secure, httponly=True, samesite="strict"
    )
