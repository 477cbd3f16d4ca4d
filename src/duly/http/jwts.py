"""JSON Web Tokens, strictly (RFC 8725): users' tokens, ours or an identity provider's; read tokens; cookies.

Each kind has its own `typ`, so that none of them passes for another. Times are checked on our own clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from duly.clock import SystemClock
from duly.deliver.jwks import Provider
from duly.http.principal import Principal
from duly.model.access import Role, Scope, granted, role_of, scopes_of
from duly.model.errors import InvalidInput
from duly.model.task import check_text
from duly.runtime.credentials import Credentials

ALGORITHM = "HS256"
#: How far the clocks of issuer and server may be apart; an expiry gets none of it.
LEEWAY_SECONDS = 30
USER_TYPES = frozenset({"jwt", "at+jwt"})
READ_TYPE, SESSION_TYPE = "read+jwt", "session+jwt"
#: Headers that would let a token choose its own key or rules (RFC 8725).
REFUSED_HEADERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"})
#: What goes wrong with a token that is not exactly right; the caller hears one message for all of it.
WRONG = (jwt.PyJWTError, InvalidInput, ValueError, TypeError, KeyError, RecursionError)
_TIMES: dict[str, Any] = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}


async def user(token: str, secret: str, provider: Provider | None, now: float) -> Principal:
    """Who a user's token says he is, `now` in seconds.

    Raises:
        One of `WRONG`.
    """
    header = _header(token, USER_TYPES)
    if header.get("alg") == ALGORITHM:
        claims = _ours(token, secret, ("exp", "sub"))
        role = role_of(claims.get("role", Role.USER))
    elif provider is not None:
        claims = await _theirs(token, header, provider)
        role = _under(provider.ceiling, claims.get("role"))
    else:
        raise jwt.InvalidAlgorithmError
    _check_times(claims, now)
    owner, tenant = _whose(claims)
    if not owner:
        raise jwt.InvalidTokenError
    return Principal(
        tenant=tenant,
        owner=owner,
        role=role,
        scopes=_scopes(claims, role),
        credential="jwt",
        expires_at=int(claims["exp"] * 1000),
    )


def reader(token: str, secret: str, now: float) -> Principal:
    """Who may see one task by a read token.

    Raises:
        One of `WRONG`.
    """
    _header(token, {READ_TYPE})
    claims = _ours(token, secret, ("exp", "task"))
    _check_times(claims, now)
    owner, tenant = _whose(claims)
    task_id = check_text(claims["task"], "task", 36)
    return Principal(
        tenant=tenant,
        owner=owner,
        role=Role.VIEWER,
        credential="read",
        task_id=task_id,
        expires_at=int(claims["exp"] * 1000),
    )


def session(token: str, secret: str, now: float) -> str:
    """The id of the browser session that a cookie is of.

    Raises:
        One of `WRONG`.
    """
    _header(token, {SESSION_TYPE})
    claims = _ours(token, secret, ("exp", "sid"))
    _check_times(claims, now)
    return check_text(claims["sid"], "sid", 36)


def is_reader(token: str) -> bool:
    """Whether it says that it is a read token."""
    try:
        return jwt.get_unverified_header(token).get("typ") == READ_TYPE
    except WRONG:
        return False


def _header(token: str, types: set[str] | frozenset[str]) -> dict[str, Any]:
    header = jwt.get_unverified_header(token)
    kind = header.get("typ", "JWT")
    if REFUSED_HEADERS & header.keys() or str(kind).lower() not in types:
        raise jwt.InvalidTokenError
    return header


def _ours(token: str, secret: str, require: tuple[str, ...]) -> dict[str, Any]:
    """The claims of a token that we signed; the algorithm is ours, never the token's."""
    if jwt.get_unverified_header(token).get("alg") != ALGORITHM:
        raise jwt.InvalidAlgorithmError
    return jwt.decode(token, secret, algorithms=[ALGORITHM], options=_options(require))


async def _theirs(token: str, header: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    """The claims of a token that the provider signed: a key has one algorithm, whatever the token says."""
    key = await provider.keys.find(str(header.get("kid", "")))
    if key is None or header.get("alg") != key.algorithm:
        raise jwt.InvalidAlgorithmError
    return jwt.decode(
        token,
        key.key,
        algorithms=[key.algorithm],
        options=_options(("exp", "sub", "iss", "aud")),
        issuer=provider.issuer,
        audience=provider.audience,
    )


def _options(require: tuple[str, ...]) -> Any:
    return {"require": list(require), **_TIMES}


def _under(ceiling: Role, claimed: Any) -> Role:
    """A role that an identity provider claims, up to what it may; a word that is not ours is a user's."""
    known = claimed if isinstance(claimed, str) and claimed in set(Role) else Role.USER
    return min(Role(known), ceiling, key=lambda role: role.rank)


def _scopes(claims: Mapping[str, Any], role: Role) -> frozenset[Scope] | None:
    """The claim `scope` (RFC 8693): words with spaces between; those of others grant nothing."""
    if "scope" not in claims:
        return None
    if not isinstance(claims["scope"], str):
        raise jwt.InvalidTokenError
    return granted(role, claims["scope"].split() or ["none"])


def _whose(claims: Mapping[str, Any]) -> tuple[str, str]:
    owner, tenant = claims.get("sub", ""), claims.get("tenant", "")
    return check_text(owner, "sub", 64), check_text(tenant, "tenant", 64)


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    if _seconds(claims["exp"]) <= now:
        raise jwt.ExpiredSignatureError
    if any(_seconds(claims[name]) > now + LEEWAY_SECONDS for name in ("nbf", "iat") if name in claims):
        raise jwt.ImmatureSignatureError


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise jwt.InvalidTokenError
    return value


def signed(secret: str, kind: str, claims: Mapping[str, Any], *, now: float, seconds: float) -> str:
    """A token of ours of this `typ`, good for so many seconds from `now`."""
    dated = {**claims, "iat": int(now), "exp": int(now) + int(seconds)}
    return jwt.encode(dated, secret, algorithm=ALGORITHM, headers={"typ": kind})


def issue_jwt(
    credentials: Credentials,
    user: str,
    tenant: str = "",
    ttl_seconds: float = 30 * 86_400,
    *,
    role: str = Role.USER,
    scopes: tuple[str, ...] = (),
    now_ms: int | None = None,
) -> str:
    """A token with which `user` of `tenant` may call, for `ttl_seconds`.

    Raises:
        InvalidInput: an empty or too long user or tenant, an unknown role or scope, a lifetime that is not
            positive.
    """
    if not check_text(user, "user", 64):
        raise InvalidInput("user must not be empty")
    if not 1 <= ttl_seconds < 1e10:
        raise InvalidInput(f"a token lives at least a second, not {ttl_seconds}")
    now = (SystemClock().now_ms() if now_ms is None else now_ms) // 1000
    trusted = role_of(role)
    claims = {"sub": user, "tenant": check_text(tenant, "tenant", 64), "role": trusted.value}
    if scopes:
        claims["scope"] = " ".join(scopes_of(scopes, trusted))
    return signed(credentials.jwt_secret, "JWT", claims, now=now, seconds=ttl_seconds)
