"""Keeps secrets out of log lines: by the name of the key they stand under, and by shapes known in text."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

MASK = "***"
_DEPTH = 8
_SECRET_KEY = re.compile(
    r"token|secret|passw(or)?d|passphrase|authoriz|apikey|accesskey|privatekey|signature|cookie|credential|jwt"
)
# Bounded repeats: hostile text must not cost more than its length.
_SECRET_TEXT = re.compile(
    r"(?i)(\bbearer\s{1,4})[\w.~+/=-]{16,}"
    r"|(\bwhsec_)[\w+/=-]+"
    r"|([?&][^=&\s]{0,60}(?:token|secret|key|signature|sign|password)=)[^&\s\"']+"
    r"|(/api/callbacks/[^\s\"'?#]{1,300}/)[\w-]{16,}"
    r"|(\bduly_[a-z0-9]{1,12}_[a-z0-9]{16}_)[0-9A-Za-z_]{8,}"
    r"|(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]{0,200}:)[^\s/@]{1,400}(?=@)"
)


def masked(key: str, value: Any, depth: int = 0) -> Any:
    """`value` as it may be shown under `key`; nested mappings and lists are walked."""
    if _is_secret(key, value) or depth > _DEPTH:
        return MASK
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, Mapping):
        return {str(name): masked(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked("", item, depth + 1) for item in value]
    return value


def masked_text(text: str) -> str:
    """Text without bearer tokens, signing secrets, and the secrets in URLs, those of callbacks too."""
    return _SECRET_TEXT.sub(lambda found: "".join(part or "" for part in found.groups()) + MASK, text)


def _is_secret(key: str, value: Any) -> bool:
    if value is None or not _sounds_secret(key):
        return False
    return not (key.lower().endswith("tokens") and isinstance(value, int | float))  # what a model used


@functools.lru_cache(maxsize=1024)
def _sounds_secret(key: str) -> bool:
    return bool(_SECRET_KEY.search(re.sub(r"[^a-z0-9]", "", key.lower())))
