"""The corpora of `tests/corpora`: what an attacker sends, as data; tests and `make security` send it."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

FOLDER = Path(__file__).resolve().parent.parent / "corpora"
ISSUER, AUDIENCE = "https://login.example", "duly"
_GOOD_HEADER = '{"alg":"HS256","typ":"JWT"}'
_GOOD_CLAIMS = '{"sub":"ann","exp":@+3600@}'


def load(name: str) -> dict[str, Any]:
    """One corpus."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))


def bad_tokens(secret: str, now: int) -> dict[str, str]:
    """Each token that must be refused, by its name; `secret` is the server's, `now` in seconds."""
    return {one["name"]: _token(one, secret, now) for one in load("jwt")["token"]}


def _token(one: dict[str, Any], secret: str, now: int) -> str:
    if "token" in one:
        return str(one["token"]) * int(one.get("times", 1))
    header = _part(one.get("header", _GOOD_HEADER), now)
    claims = _part(one.get("claims", _GOOD_CLAIMS), now)
    ending = _SIGNERS[one.get("sign", "ours")](f"{header}.{claims}", secret)
    return f"{header}.{claims}{ending}{one.get('then', '')}"


def _part(text: str, now: int) -> str:
    """JSON text with its moments and repetitions, in base64url."""
    text = re.sub(r"@([+-]\d+)@", lambda found: str(now + int(found[1])), text)
    text = re.sub(r"\*(\d+) (.)\*", lambda found: found[2] * int(found[1]), text)
    return encoded(text.encode())


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _hmac(text: str, key: bytes, digest: Any = hashlib.sha256) -> str:
    return "." + encoded(hmac.new(key, text.encode(), digest).digest())


def _other_claims(text: str, secret: str) -> str:
    return _hmac(text.partition(".")[0] + "." + encoded(b'{"sub":"ann"}'), secret.encode())


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    """The identity provider's."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """The identity provider's."""
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    """The identity provider's."""
    return ed25519.Ed25519PrivateKey.generate()


def _unknown_rsa(text: str, _: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    algorithm: Any = jwt.get_algorithm_by_name("RS256")
    return "." + encoded(algorithm.sign(text.encode(), key))


def public_pem() -> bytes:
    """The provider's RSA key as everybody may have it: an attacker signs HS256 with these bytes."""
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return rsa_key().public_key().public_bytes(*form)


_SIGNERS: dict[str, Callable[[str, str], str]] = {
    "ours": lambda text, secret: _hmac(text, secret.encode()),
    "wrong": lambda text, secret: _hmac(text, secret[::-1].encode()),
    "empty": lambda text, _: _hmac(text, b""),
    "sha384": lambda text, secret: _hmac(text, secret.encode(), hashlib.sha384),
    "sha512": lambda text, secret: _hmac(text, secret.encode(), hashlib.sha512),
    "rsa": _unknown_rsa,
    "public": lambda text, _: _hmac(text, public_pem()),
    "zeros": lambda *_: "." + encoded(bytes(64)),
    "other claims": _other_claims,
    "cut": lambda text, secret: _hmac(text, secret.encode())[:-4],
    "none": lambda *_: ".",
    "absent": lambda *_: "",
}


def jwks() -> dict[str, Any]:
    """The document that the identity provider shows: one key of each kind."""
    keys: list[tuple[str, Any, Any]] = [
        ("rsa", jwt.algorithms.RSAAlgorithm, rsa_key()),
        ("ec", jwt.algorithms.ECAlgorithm, ec_key()),
        ("ed", jwt.algorithms.OKPAlgorithm, ed_key()),
    ]
    return {"keys": [{**json.loads(kind.to_jwk(key.public_key())), "kid": kid} for kid, kind, key in keys]}


def provided(kid: str, claims: dict[str, Any], *, algorithm: str = "") -> str:
    """A token that the identity provider has signed with this key of its."""
    key, usual = {"rsa": (rsa_key(), "RS256"), "ec": (ec_key(), "ES256"), "ed": (ed_key(), "EdDSA")}[kid]
    said = {"iss": ISSUER, "aud": AUDIENCE, **claims}
    return jwt.encode(said, key, algorithm=algorithm or usual, headers={"kid": kid})
