"""Signatures by Standard Webhooks 1.0.0: `v1` is HMAC-SHA256, `v1a` Ed25519; and their secrets.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. Written
here, for the library for Python has no `v1a`; tests hold it against that library and another one.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets as random
from base64 import b64decode, b64encode
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from duly.model.errors import InvalidInput

SYMMETRIC, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
KEY_BYTES = 32


def new_secret(*, ed25519: bool = False) -> str:
    """A fresh secret: `whsec_…` to share with the receiver, or the private key `whsk_…`, which stays here.

    Raises:
        InvalidInput: Ed25519 without the library for it.
    """
    if ed25519:
        _library()
    prefix = PRIVATE if ed25519 else SYMMETRIC
    return prefix + b64encode(random.token_bytes(KEY_BYTES)).decode()


def check_secret(secret: str) -> str:
    """A secret that somebody brings along: 24 to 64 bytes, or 32 of a private key.

    Raises:
        InvalidInput: it is none.
    """
    try:
        length = len(_key(secret))
    except (binascii.Error, ValueError):
        length = 0
    fits = length == KEY_BYTES if secret.startswith(PRIVATE) else 24 <= length <= 64
    if not fits or not secret.startswith((SYMMETRIC, PRIVATE)):
        raise InvalidInput("a secret is whsec_ and base64 of 24 to 64 bytes, or whsk_ and base64 of 32")
    return secret


def public_key(secret: str) -> str | None:
    """What the receiver verifies `v1a` with: `whpk_…`; None of a secret that it shares."""
    if not secret.startswith(PRIVATE):
        return None
    raw = _private(secret).public_key().public_bytes_raw()
    return PUBLIC + b64encode(raw).decode()


def signature(secrets: Iterable[str], id_: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature per secret, in their order, with spaces between."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return " ".join(_signed(secret, signed) for secret in secrets)


def _signed(secret: str, signed: bytes) -> str:
    if secret.startswith(PRIVATE):
        return "v1a," + b64encode(_private(secret).sign(signed)).decode()
    return "v1," + b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    return b64decode(secret.removeprefix(SYMMETRIC).removeprefix(PRIVATE), validate=True)


@lru_cache(maxsize=256)
def _private(secret: str) -> Any:
    return _library().Ed25519PrivateKey.from_private_bytes(_key(secret))


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise InvalidInput("Ed25519 needs a library: pip install 'duly[ed25519]'") from None
    return ed25519
