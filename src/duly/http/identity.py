"""Who calls: the installation's token, an API key, a JWT, a browser session, or for one task a read token.

With `auth = loopback` every caller is the administrator; `edge.LoopbackOnly` keeps strangers out then. What
the route needs stands in `permissions`, and is checked here.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from duly.http import jwts
from duly.http.cookies import signed_in
from duly.http.jwts import issue_jwt
from duly.http.parts import parts
from duly.http.permissions import SAFE, rule_of
from duly.http.principal import ADMIN, LOOPBACK, Forbidden, Principal
from duly.model.access import ApiKey, Scope, granted, role_of
from duly.model.errors import NotAllowed
from duly.runtime.app import App
from duly.store import keys, logins

__all__ = ["AdminDep", "Forbidden", "Principal", "PrincipalDep", "authenticate", "identify", "issue_jwt"]

TOKEN_LIMIT = 8192
#: Where a request's caller is kept, once he is known.
KEPT = "duly.principal"


class Bearer(SecurityBase):
    """The dependency that answers who calls, for HTTP and WebSocket routes; a security scheme in OpenAPI."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The token of the token file, an API key, or a user's JWT.")
        self.scheme_name = "token"

    async def __call__(self, connection: HTTPConnection) -> Principal:
        principal = await identify(connection)
        authorise(principal, connection)
        return principal


authenticate = Bearer()
PrincipalDep = Annotated[Principal, Depends(authenticate)]


async def _administrator(connection: HTTPConnection, principal: PrincipalDep) -> Principal:
    """Who operates, where the table says that this is enough; else an administrator."""
    needed = Scope.OPERATE if rule_of(connection).scope is Scope.OPERATE else Scope.ADMIN
    if not principal.may(needed):
        raise Forbidden("only an administrator may do this")
    return principal


#: A route with this parameter, or a router that depends on it, is for administrators, or operators.
AdminDep = Annotated[Principal, Depends(_administrator)]
only_administrators = Depends(_administrator)


def authorise(principal: Principal, connection: HTTPConnection) -> None:
    """Lets a caller pass who may do what the matched route does.

    Raises:
        Forbidden: his role, or his credential's scopes, do not allow it.
    """
    rule = rule_of(connection)
    if principal.task_id is not None and not rule.readable:
        raise Forbidden("a read token opens one task, its events and its result")
    if rule.scope is not None and not principal.may(rule.scope):
        raise Forbidden(f"these credentials do not allow this: it needs the scope {rule.scope}")


async def identify(connection: HTTPConnection) -> Principal:
    """Who calls.

    Raises:
        NotAllowed: no credentials, or any that are not exactly right: one message for all of them.
        ForgedRequest: a browser's session, and no proof that one of our pages asks.
    """
    known = connection.scope.get(KEPT)
    if known is None:
        known = connection.scope[KEPT] = await _found(connection)
    return known


async def _found(connection: HTTPConnection) -> Principal:
    app = parts(connection).app
    if app.settings.auth == "loopback":
        return LOOPBACK
    given = connection.headers.getlist("authorization")
    if not given:
        principal = _by_address(connection, app) or await signed_in(connection)
        if principal is None:
            raise NotAllowed
        return principal
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer":
        raise NotAllowed(presented=True)
    return await bearer(app, token.strip(" "))


def _by_address(connection: HTTPConnection, app: App) -> Principal | None:
    """Who reads one task by a token in the address, for an EventSource cannot send headers; or nobody."""
    token = connection.query_params.get("access_token", "")
    if not token or connection.scope.get("method") not in SAFE or not rule_of(connection).readable:
        return None
    if len(token) > TOKEN_LIMIT or not jwts.is_reader(token):
        raise NotAllowed(presented=True)
    return _reader(app, token)


async def bearer(app: App, token: str) -> Principal:
    """Who holds this token.

    Raises:
        NotAllowed: nobody, or nobody any more.
    """
    if len(token) > TOKEN_LIMIT:
        raise NotAllowed(presented=True)
    if hmac.compare_digest(token.encode(), app.credentials.token.encode()):
        return ADMIN
    if "." not in token:
        return await _key_holder(app, token)
    if jwts.is_reader(token):
        return _reader(app, token)
    try:
        now = app.clock.now_ms() / 1000
        return await jwts.user(token, app.credentials.jwt_secret, app.provider, now)
    except jwts.WRONG:
        raise NotAllowed(presented=True) from None


async def holds(app: App, principal: Principal) -> bool:
    """Whether the key or the session that somebody came with is still good; a token's end is its expiry."""
    now = app.clock.now_ms()
    if (
        principal.login_id is not None
        and await app.database.read(logins.find, principal.login_id, now) is None
    ):
        return False
    key = None if principal.key_id is None else await app.database.read(keys.find, principal.key_id)
    return principal.key_id is None or (key is not None and any(key.hashes(now)))


def _reader(app: App, token: str) -> Principal:
    try:
        return jwts.reader(token, app.credentials.jwt_secret, app.clock.now_ms() / 1000)
    except jwts.WRONG:
        raise NotAllowed(presented=True) from None


async def _key_holder(app: App, token: str) -> Principal:
    """Whose key it is. A mistyped one is refused without a look; unknown or wrong takes the same time."""
    key = ApiKey.parse(token, app.settings.key_environment)
    if key is None:
        raise NotAllowed(presented=True)
    known = await app.database.read(keys.find, key.id)
    now = app.clock.now_ms()
    given = key.secret_hash
    good = [hmac.compare_digest(given, one) for one in (known.hashes(now) if known else [given[::-1]])]
    if known is None or not any(good):
        raise NotAllowed(presented=True)
    if known.used_at is None or known.used_at <= now - keys.USED_EVERY:
        app.database.post(keys.touch, known.id, lambda _: None)
    role = role_of(known.role)
    return Principal(
        tenant=known.tenant,
        owner=known.owner,
        role=role,
        scopes=granted(role, known.scopes.split()),
        credential=f"key:{known.id}",
        key_id=known.id,
        expires_at=known.expires_at,
    )
