"""The public keys of an identity provider (JWKS, RFC 7517): from one address or one file, kept in memory.

The address is the installation's own setting: no token can name another one, no redirect is followed. A key
has the one algorithm of its kind, whatever it or a token says.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import jwt

from duly.clock import Clock
from duly.config import Settings, SettingsError
from duly.model.access import Role
from duly.model.events import Emit

#: Kind and curve of a key to its one algorithm.
ALGORITHMS = {("RSA", ""): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
#: Asked again at most once a minute for a key that is not known, and once an hour for any.
ASK_SECONDS, KEEP_SECONDS = 60.0, 3600.0
#: For each part of an answer, and for all of it: a server that drips is never late with a part.
TIMEOUT = httpx2.Timeout(5.0)
WHOLE_SECONDS = 10.0
LARGEST = 262_144
MOST_KEYS = 100
SHORTEST_RSA = 2048

Fetch = Callable[[], Awaitable[bytes]]


class PublicKey(NamedTuple):
    """One key and its algorithm."""

    key: Any
    algorithm: str


class KeySet:
    """Finds keys by their id; `fetch` answers the document."""

    def __init__(self, fetch: Fetch, clock: Clock, *, emit: Emit) -> None:
        self._fetch = fetch
        self._clock = clock
        self._emit = emit
        self._keys: dict[str, PublicKey] = {}
        self._asked_at: float | None = None
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> PublicKey | None:
        """The key of this id; None: the provider does not show it. Who comes while it is asked waits."""
        if kid not in self._keys or self._older(KEEP_SECONDS):
            async with self._lock:
                if self._older(KEEP_SECONDS if kid in self._keys else ASK_SECONDS):
                    await self._ask()
        return self._keys.get(kid)

    def _older(self, seconds: float) -> bool:
        return self._asked_at is None or self._clock.monotonic() - self._asked_at >= seconds

    async def _ask(self) -> None:
        self._asked_at = self._clock.monotonic()
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                document = await self._fetch()
            self._keys = parsed(document)
        except (httpx2.HTTPError, OSError, ValueError, jwt.PyJWTError) as error:
            self._emit("jwks.failed", error=repr(error), level="warning")  # what is known stays good


class Provider(NamedTuple):
    """An identity provider: its keys, its name, for whom its tokens are, the highest role in them."""

    keys: KeySet
    issuer: str
    audience: str
    ceiling: Role


def provider_of(settings: Settings, clock: Clock, *, emit: Emit) -> Provider:
    """The one that the settings name.

    Raises:
        SettingsError: what checks public keys is not installed.
    """
    if find_spec("cryptography") is None:
        raise SettingsError(["jwks_url and jwks_file need the extra jwks: pip install 'duly[jwks]'"])
    fetch = at(settings.jwks_url) if settings.jwks_url else of(settings.jwks_file)
    keys = KeySet(fetch, clock, emit=emit)
    return Provider(keys, settings.jwt_issuer, settings.jwt_audience, Role(settings.jwt_ceiling))


def parsed(document: bytes) -> dict[str, PublicKey]:
    """The keys of a document that can sign; kinds that are not on the list are left out.

    Raises:
        ValueError: it is no JWKS.
    """
    try:
        listed = json.loads(document)["keys"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("not a JWKS") from error
    if not isinstance(listed, list) or len(listed) > MOST_KEYS:
        raise ValueError(f"a JWKS has a list of at most {MOST_KEYS} keys")
    found = {str(one["kid"]): _key(one) for one in listed if isinstance(one, dict) and "kid" in one}
    return {kid: key for kid, key in found.items() if key is not None}


def _key(one: dict[str, Any]) -> PublicKey | None:
    algorithm = ALGORITHMS.get((str(one.get("kty")), str(one.get("crv", ""))))
    if algorithm is None or one.get("use", "sig") != "sig" or one.get("alg", algorithm) != algorithm:
        return None
    public = {name: value for name, value in one.items() if name not in ("d", "p", "q", "dp", "dq", "qi")}
    try:
        key = jwt.PyJWK(public, algorithm=algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    weak = algorithm == "RS256" and key.key_size < SHORTEST_RSA
    return None if weak else PublicKey(key, algorithm)


def at(url: str) -> Fetch:
    """Fetches the document from its address."""

    async def fetch() -> bytes:
        async with (
            httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != 200:
                raise ValueError(f"{url} answered {answer.status_code}")
            document = b""
            async for part in answer.aiter_bytes():
                document += part
                if len(document) > LARGEST:
                    raise ValueError(f"{url} answered more than {LARGEST} bytes")
            return document

    return fetch


def of(file: str) -> Fetch:
    """Reads the document from a file."""
    return lambda: asyncio.to_thread(Path(file).expanduser().read_bytes)
