"""Signs what we hand out and want back unchanged: cursors and links. One key for each purpose."""

from __future__ import annotations

import hashlib
import hmac

from duly.runtime.app import App


def seal(app: App, purpose: str, text: str) -> str:
    """The signature (HMAC-SHA-256, 32 hex digits) of `text` under a key of the installation's own."""
    key = hmac.digest(app.credentials.jwt_secret.encode(), f"duly/{purpose}".encode(), hashlib.sha256)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def is_sealed(app: App, purpose: str, text: str, signature: str) -> bool:
    """Whether `signature` is that of `text`; takes as long for any that is not."""
    return hmac.compare_digest(seal(app, purpose, text).encode(), signature.encode("utf-8", "replace"))
