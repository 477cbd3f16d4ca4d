"""Users of an identity provider: its public keys check their JWTs, which claim no more than allowed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from site_under_test import MakeSite, Site

from duly.clock import SystemClock
from duly.config import SettingsError, load
from duly.deliver import jwks
from duly.deliver.jwks import KeySet, parsed
from duly.testing import FakeClock
from support import corpora

NOW = SystemClock().now_ms() // 1000
GOOD: dict[str, Any] = {"sub": "ann", "exp": NOW + 3600}


@pytest.fixture
async def provided(make_site: MakeSite, tmp_path: Path) -> Site:
    """A site that believes the corpora's identity provider."""
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(corpora.jwks()))
    named = {"jwt_issuer": corpora.ISSUER, "jwt_audience": corpora.AUDIENCE}
    return await make_site(jwks_file=str(file), **named)


async def answered(site: Site, token: str, path: str = "/api/tasks") -> int:
    """The status that a call with this token has."""
    async with site.client({"Authorization": f"Bearer {token}"}) as client:
        return (await client.get(path)).status_code


@pytest.mark.parametrize("kid", ["rsa", "ec", "ed"])
async def test_a_provider_signs_with_three_kinds_of_keys(provided: Site, kid: str) -> None:
    """RS256, ES256 and EdDSA: each key has one of them."""
    assert await answered(provided, corpora.provided(kid, GOOD)) == 200


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"aud": []},
        {"exp": NOW - 1},
        {"sub": ""},
        {"nbf": NOW + 86_400},
    ],
    ids=["issuer", "audience", "no audience", "expired", "no subject", "not yet"],
)
async def test_a_providers_token_for_others_is_refused(provided: Site, claims: dict[str, Any]) -> None:
    """Another issuer, another audience, another time: 401, however well it is signed."""
    assert await answered(provided, corpora.provided("rsa", {**GOOD, **claims})) == 401


@pytest.mark.parametrize(("kid", "algorithm"), [("rsa", "RS384"), ("rsa", "PS256"), ("rsa", "RS512")])
async def test_a_key_has_one_algorithm(provided: Site, kid: str, algorithm: str) -> None:
    """A right signature of the right key by another algorithm is 401."""
    assert await answered(provided, corpora.provided(kid, GOOD, algorithm=algorithm)) == 401


async def test_the_corpus_is_refused_beside_a_provider_too(provided: Site) -> None:
    """The provider's keys open nothing for forged tokens: of the whole corpus none passes."""
    tokens = corpora.bad_tokens(provided.app.credentials.jwt_secret, SystemClock().now_ms() // 1000)
    passed = []
    async with provided.client() as client:
        for name, token in tokens.items():
            header = (b"Authorization", f"Bearer {token}".encode())
            if (await client.get("/api/tasks", headers=[header])).status_code != 401:
                passed.append(name)
    assert passed == []


@pytest.mark.parametrize("role", ["operator", "admin", "root", "", None])
async def test_a_provider_cannot_grant_more_than_the_ceiling(provided: Site, role: Any) -> None:
    """Whatever role its token claims, a user is the most; the queues stay closed."""
    token = corpora.provided("ed", {**GOOD, "role": role})
    assert [await answered(provided, token, path) for path in ("/api/tasks", "/api/queues")] == [200, 403]


async def test_a_lower_role_than_the_ceiling_is_kept(provided: Site) -> None:
    """A viewer of the provider's reads only."""
    token = corpora.provided("ed", {**GOOD, "role": "viewer"})
    async with provided.client({"Authorization": f"Bearer {token}"}) as client:
        answer = await client.post("/api/tasks", json={"task_type": "echo"})
    assert answer.status_code == 403


class Ticking(FakeClock):
    """A clock whose seconds stand still too."""

    def monotonic(self) -> float:
        return self.now_ms() / 1000


class Source:
    """What a provider answers, and how often it was asked."""

    def __init__(self, document: Any) -> None:
        self.document, self.asked = document, 0

    async def __call__(self) -> bytes:
        self.asked += 1
        if isinstance(self.document, Exception):
            raise self.document
        return json.dumps(self.document).encode()


async def test_an_unknown_key_is_asked_for_once_a_minute() -> None:
    """Forged key ids do not make us ask more often, and a new key is found within the minute."""
    clock, source = Ticking(), Source(corpora.jwks())
    keys = KeySet(source, clock, emit=lambda *_, **__: None)
    assert await keys.find("rsa") is not None
    assert [await keys.find(f"no{number}") for number in range(5)] == [None] * 5
    assert source.asked == 1
    clock.advance(60)
    source.document = {"keys": [{**corpora.jwks()["keys"][2], "kid": "new"}]}
    assert await keys.find("new") is not None
    assert source.asked == 2


async def test_a_provider_that_is_away_takes_no_key_away() -> None:
    """What is known stays good while it cannot be asked; that is logged."""
    clock, source, said = Ticking(), Source(corpora.jwks()), []
    keys = KeySet(source, clock, emit=lambda event, **_: said.append(event))
    await keys.find("ec")
    clock.advance(3600)
    source.document = OSError("away")
    assert await keys.find("ec") is not None
    assert (source.asked, said) == (2, ["jwks.failed"])


async def test_a_provider_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole answer has a time, not only each part of it."""
    monkeypatch.setattr(jwks, "WHOLE_SECONDS", 0.3)
    left, said = asyncio.Event(), list[str]()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.01)
        left.set()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server, asyncio.timeout(5):
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        keys = KeySet(jwks.at(url), Ticking(), emit=lambda event, **_: said.append(event))
        assert await keys.find("ec") is None
        await left.wait()
    assert said == ["jwks.failed"]


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "oct", "k": "AAAA"},
        {"use": "enc"},
        {"alg": "RS512"},
        {"n": "AQAB"},
        {"kty": ["RSA"]},
        {"n": 1},
    ],
    ids=repr,
)
def test_a_key_that_must_not_sign_is_left_out(change: dict[str, Any]) -> None:
    """Shared secrets, keys to encrypt with, other algorithms, short keys, nonsense: none of them is used."""
    [key, *_] = corpora.jwks()["keys"]
    assert parsed(json.dumps({"keys": [{**key, **change}]}).encode()) == {}


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":' + b"[" * 5000, b"null"])
def test_what_is_no_jwks_is_an_error(document: bytes) -> None:
    """Nothing of it is used."""
    with pytest.raises(ValueError, match=r"."):
        parsed(document)


@pytest.mark.parametrize(
    "flags",
    [
        {"jwks_url": "https://login.example/keys"},
        {"jwks_url": "http://login.example/keys", "jwt_issuer": "x", "jwt_audience": "y"},
        {"jwks_url": "file:///etc/passwd", "jwt_issuer": "x", "jwt_audience": "y"},
        {"jwks_url": "https://a@login.example/keys", "jwt_issuer": "x", "jwt_audience": "y"},
        {"jwks_url": "https://a/b", "jwks_file": "c", "jwt_issuer": "x", "jwt_audience": "y"},
    ],
    ids=repr,
)
def test_a_provider_that_could_not_be_trusted_is_refused(flags: dict[str, str]) -> None:
    """Without an issuer and an audience, over an open line, from two places: it does not start."""
    with pytest.raises(SettingsError):
        load(flags, environ={})
