"""The corpus of bad tokens: forged, expired, for another use, or too much of anything."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from site_under_test import REFUSED, Site, signed

from duly.clock import SystemClock

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = SystemClock().now_ms() // 1000
HOUR = NOW + 3600
GOOD: dict[str, Any] = {"sub": "ann", "exp": HOUR}


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _hs(secret: str, claims: dict[str, Any] = GOOD, headers: dict[str, Any] | None = None) -> str:
    """A rightly signed token, so that only what is under test is wrong with it."""
    return signed(secret, claims, headers)


def _rs256(_: str) -> str:
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return jwt.encode(GOOD, pem, algorithm="RS256")


def _raw(secret: str, payload: Any, headers: dict[str, Any] | None = None) -> str:
    """A rightly signed token with claims that PyJWT would not write."""
    return jwt.PyJWS().encode(json.dumps(payload).encode(), secret, algorithm="HS256", headers=headers)


def _unsigned(alg: str) -> str:
    return f"{_part({'alg': alg, 'typ': 'JWT'})}.{_part(GOOD)}."


def _relabelled(secret: str) -> str:
    _, body, signature = _hs(secret).split(".")
    return f"{_part({'alg': 'RS256', 'typ': 'JWT'})}.{body}.{signature}"


def _tampered(secret: str) -> str:
    head, _, signature = _hs(secret).split(".")
    return f"{head}.{_part({**GOOD, 'sub': 'bob'})}.{signature}"


BAD = {
    "alg none": lambda _: _unsigned("none"),
    "alg None": lambda _: _unsigned("None"),
    "alg nOnE with a signature": lambda s: _unsigned("nOnE") + _hs(s).split(".")[2],
    "alg missing": lambda _: f"{_part({'typ': 'JWT'})}.{_part(GOOD)}.x",
    "wrong key": lambda s: _hs(s[::-1]),
    "empty key": lambda _: jwt.encode(GOOD, "x" * 32, algorithm="HS256"),
    "HS384": lambda s: jwt.encode(GOOD, s, algorithm="HS384"),
    "HS512": lambda s: jwt.encode(GOOD, s, algorithm="HS512"),
    "RS256": _rs256,
    "HS256 relabelled RS256": _relabelled,
    "claims changed": _tampered,
    "signature cut": lambda s: _hs(s)[:-4],
    "no signature": lambda s: _hs(s).rsplit(".", 1)[0],
    "four parts": lambda s: _hs(s) + ".x",
    "crit": lambda s: _hs(s, headers={"crit": ["exp"], "exp": HOUR}),
    "jwk": lambda s: _hs(s, headers={"jwk": {"kty": "oct", "k": "AAAA"}}),
    "jku": lambda s: _hs(s, headers={"jku": "https://evil.example/keys"}),
    "x5u": lambda s: _hs(s, headers={"x5u": "https://evil.example/cert"}),
    "b64 false": lambda s: f"{_part({'alg': 'HS256', 'b64': False})}.{_part(GOOD)}.x",
    "typ of another use": lambda s: _hs(s, headers={"typ": "logout+jwt"}),
    "kid not text": lambda s: f"{_part({'alg': 'HS256', 'kid': 1})}.{_part(GOOD)}.x",
    "expired": lambda s: _hs(s, {"sub": "ann", "exp": NOW - 1}),
    "expiring now": lambda s: _hs(s, {"sub": "ann", "exp": NOW}),
    "missing exp": lambda s: _hs(s, {"sub": "ann"}),
    "exp null": lambda s: _hs(s, {"sub": "ann", "exp": None}),
    "exp text": lambda s: _hs(s, {"sub": "ann", "exp": str(HOUR)}),
    "exp true": lambda s: _hs(s, {"sub": "ann", "exp": True}),
    "exp infinite": lambda s: _hs(s, {"sub": "ann", "exp": float("inf")}),
    "exp not a number": lambda s: _hs(s, {"sub": "ann", "exp": float("nan")}),
    "exp huge": lambda s: _hs(s, {"sub": "ann", "exp": 10**400}),
    "not yet": lambda s: _hs(s, {**GOOD, "nbf": NOW + 600}),
    "issued in the future": lambda s: _hs(s, {**GOOD, "iat": NOW + 600}),
    "for another audience": lambda s: _hs(s, {**GOOD, "aud": "other"}),
    "missing sub": lambda s: _hs(s, {"exp": HOUR}),
    "empty sub": lambda s: _hs(s, {"sub": "", "exp": HOUR}),
    "sub not text": lambda s: _raw(s, {"sub": 1, "exp": HOUR}),
    "sub too long": lambda s: _hs(s, {"sub": "a" * 65, "exp": HOUR}),
    "sub with a line end": lambda s: _hs(s, {"sub": "a\nb", "exp": HOUR}),
    "tenant not text": lambda s: _hs(s, {**GOOD, "tenant": ["acme"]}),
    "claims not an object": lambda s: _raw(s, [1]),
    "9 KB": lambda s: _hs(s, {**GOOD, "fill": "x" * 7000}),
    "1 MB": lambda s: "x" * 1_000_000,
    "deep header": lambda s: f"{base64.urlsafe_b64encode(b'[' * 4000).decode()}.e30.x",
    "empty": lambda _: "",
    "dots": lambda _: "..",
    "not base64": lambda _: "ä.ö.ü",
    "a space": lambda s: _hs(s)[:10] + " " + _hs(s)[10:],
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
async def test_a_bad_token_is_refused(shared: Site, make: Any) -> None:
    """Each token of the corpus is 401 with a challenge and the one message."""
    token = make(shared.app.credentials.jwt_secret)
    async with shared.client() as client:
        answer = await client.get("/api/tasks", headers=[(b"Authorization", f"Bearer {token}".encode())])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="duly", error="invalid_token"'
    assert answer.json()["detail"] == REFUSED


@pytest.mark.parametrize(
    "header",
    ["{token}", "Basic {token}", "bearer", "Bearer", "Bearer {token}x", "Bearer x{token}", "Bearer{token}"],
)
async def test_anything_but_the_right_bearer_is_refused(shared: Site, header: str) -> None:
    """Another scheme, or a token that is nearly right, is 401."""
    async with shared.client({"Authorization": header.format(token=shared.app.credentials.token)}) as client:
        answer = await client.get("/api/tasks")
    assert (answer.status_code, answer.json()["detail"]) == (401, REFUSED)
