"""Who calls: the installation's token is the administrator, a JWT signed with its secret is one user.

With `auth = loopback` every caller is the administrator; `edge.LoopbackOnly` keeps strangers out then.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jwt
from fastapi import Depends
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from duly.clock import SystemClock
from duly.http.parts import parts
from duly.model.errors import InvalidInput, NotAllowed
from duly.model.task import Task, check_text
from duly.runtime.credentials import Credentials

ALGORITHM = "HS256"
TOKEN_LIMIT = 8192
#: How far the clocks of issuer and server may be apart; an expiry gets none of it.
LEEWAY_SECONDS = 30
TYPES = ("jwt", "at+jwt")
#: Headers that would let a token choose its own key or rules (RFC 8725).
REFUSED_HEADERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"})


class Forbidden(NotAllowed):
    """These credentials do not allow this."""

    code = "forbidden"
    http_status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who calls. An administrator sees all; a user his own tasks, those of (tenant, owner)."""

    tenant: str = ""
    owner: str = ""
    role: Literal["admin", "user"] = "user"

    @property
    def admin(self) -> bool:
        """Whether this is the installation's own token."""
        return self.role == "admin"

    def sees(self, task: Task) -> bool:
        """Whether the task may be known to this caller at all."""
        return self.admin or (task.tenant, task.owner) == (self.tenant, self.owner)

    def acting(self, tenant: str | None, owner: str | None) -> tuple[str, str]:
        """For whom a request is: the caller, unless an administrator names somebody else.

        Raises:
            Forbidden: a user named somebody else.
        """
        named = (self.tenant if tenant is None else tenant, self.owner if owner is None else owner)
        if not self.admin and named != (self.tenant, self.owner):
            raise Forbidden("only an administrator may name another owner or tenant")
        return named


ADMIN = Principal(role="admin")


class Bearer(SecurityBase):
    """The dependency that answers who calls, for HTTP and WebSocket routes; a security scheme in OpenAPI."""

    def __init__(self) -> None:
        self.model = HTTPBearer(description="The token of the token file, or a user's JWT (HS256).")
        self.scheme_name = "token"

    async def __call__(self, connection: HTTPConnection) -> Principal:
        return identify(connection)


authenticate = Bearer()
PrincipalDep = Annotated[Principal, Depends(authenticate)]


async def _administrator(principal: PrincipalDep) -> Principal:
    if not principal.admin:
        raise Forbidden("only an administrator may do this")
    return principal


#: A route with this parameter, or a router that depends on it, is for administrators.
AdminDep = Annotated[Principal, Depends(_administrator)]
only_administrators = Depends(_administrator)


def identify(connection: HTTPConnection) -> Principal:
    """Who calls.

    Raises:
        NotAllowed: no credentials, or any that are not exactly right: one message for all of them.
    """
    app = parts(connection).app
    if app.settings.auth == "loopback":
        return ADMIN
    given = connection.headers.getlist("authorization")
    if not given:
        raise NotAllowed
    scheme, _, token = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or len(token) > TOKEN_LIMIT:
        raise NotAllowed(presented=True)
    token = token.strip(" ")
    if hmac.compare_digest(token.encode(), app.credentials.token.encode()):
        return ADMIN
    return _user(token, app.credentials, app.clock.now_ms() / 1000)


def _user(token: str, credentials: Credentials, now: float) -> Principal:
    try:
        claims = _claims(token, credentials.jwt_secret)
        _check_times(claims, now)
        owner, tenant = (
            check_text(claims["sub"], "sub", 64),
            check_text(claims.get("tenant", ""), "tenant", 64),
        )
    except (jwt.PyJWTError, InvalidInput, ValueError, TypeError, RecursionError):
        raise NotAllowed(presented=True) from None
    if not owner:
        raise NotAllowed(presented=True)
    return Principal(tenant=tenant, owner=owner)


def _claims(token: str, secret: str) -> dict[str, Any]:
    """The claims of a token with a right signature; the algorithm is ours, never the token's."""
    header = jwt.get_unverified_header(token)
    kind = header.get("typ", "JWT")
    if header.get("alg") != ALGORITHM or REFUSED_HEADERS & header.keys() or str(kind).lower() not in TYPES:
        raise jwt.InvalidTokenError
    # Times are checked against our own clock, in _check_times.
    checks: Any = {"require": ["exp", "sub"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
    return jwt.decode(token, secret, algorithms=[ALGORITHM], options=checks)


def _check_times(claims: dict[str, Any], now: float) -> None:
    if _seconds(claims["exp"]) <= now:
        raise jwt.ExpiredSignatureError
    if any(_seconds(claims[name]) > now + LEEWAY_SECONDS for name in ("nbf", "iat") if name in claims):
        raise jwt.ImmatureSignatureError


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise jwt.InvalidTokenError
    return value


def issue_jwt(
    credentials: Credentials,
    user: str,
    tenant: str = "",
    ttl_seconds: float = 30 * 86_400,
    *,
    now_ms: int | None = None,
) -> str:
    """A token with which `user` of `tenant` may call, for `ttl_seconds`.

    Raises:
        InvalidInput: an empty or too long user or tenant, a lifetime that is not positive.
    """
    if not check_text(user, "user", 64):
        raise InvalidInput("user must not be empty")
    if not 1 <= ttl_seconds < 1e10:
        raise InvalidInput(f"a token lives at least a second, not {ttl_seconds}")
    now = (SystemClock().now_ms() if now_ms is None else now_ms) // 1000
    claims = {"sub": user, "tenant": check_text(tenant, "tenant", 64), "role": "user", "iat": now}
    claims["exp"] = now + int(ttl_seconds)
    return jwt.encode(claims, credentials.jwt_secret, algorithm=ALGORITHM)
