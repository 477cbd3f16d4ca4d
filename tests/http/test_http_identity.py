"""Who may call: the administrator's token, users' tokens, and the open loopback mode."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import REFUSED, MakeSite, Site, signed

from duly.clock import SystemClock
from duly.http.identity import issue_jwt
from duly.model.errors import InvalidInput
from duly.testing import FakeClock

NOW = SystemClock().now_ms() // 1000
GOOD: dict[str, Any] = {"sub": "ann", "exp": NOW + 3600}


async def test_no_credentials_are_told_apart_only_in_the_challenge(site: Site) -> None:
    """Without a token: the same body, and a challenge without an error."""
    async with site.client() as client:
        answer = await client.get("/api/tasks")
    assert (answer.status_code, answer.json()["detail"]) == (401, REFUSED)
    assert answer.headers["www-authenticate"] == 'Bearer realm="duly"'


async def test_two_authorization_headers_are_refused(site: Site) -> None:
    """Even if both are right: a proxy may have checked the other one."""
    header = ("Authorization", f"Bearer {site.app.credentials.token}")
    async with site.client() as client:
        answer = await client.get("/api/tasks", headers=[header, header])
    assert answer.status_code == 401


async def test_a_token_in_the_address_is_no_credential(site: Site) -> None:
    """Addresses end up in logs, so a token there is not looked at."""
    async with site.client() as client:
        answer = await client.get("/api/tasks", params={"token": site.app.credentials.token})
    assert answer.status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_installations_token_is_the_administrator(site: Site, scheme: str) -> None:
    """The scheme's case does not matter (RFC 9110); the token sees every task."""
    async with site.user("ann") as ann, site.client() as client:
        await site.submitted(ann)
        headers = {"Authorization": f"{scheme} {site.app.credentials.token}"}
        answer = await client.get("/api/tasks", headers=headers)
    assert len(answer.json()["tasks"]) == 1


@pytest.mark.parametrize("claims", [GOOD, {**GOOD, "role": "user"}, {**GOOD, "iat": NOW, "nbf": NOW}])
@pytest.mark.parametrize("headers", [None, {"typ": "at+jwt"}, {"typ": None}, {"kid": "../../etc/passwd"}])
async def test_a_signed_token_is_its_user_and_no_more(
    site: Site, claims: dict[str, Any], headers: dict[str, Any] | None
) -> None:
    """A right JWT is a user, whichever key it names."""
    async with site.admin as admin:
        await site.submitted(admin)
    token = signed(site.app.credentials.jwt_secret, claims, headers)
    async with site.client({"Authorization": f"Bearer {token}"}) as client:
        answer = await client.get("/api/tasks")
    assert (answer.status_code, answer.json()["tasks"]) == (200, [])


async def test_an_issued_token_works_until_it_expires(site: Site) -> None:
    """`issue_jwt` makes a token for one user of one tenant, for a time."""
    credentials = site.app.credentials
    live = issue_jwt(credentials, "ann", "acme", 60)
    dead = issue_jwt(credentials, "ann", "acme", 60, now_ms=(NOW - 61) * 1000)
    async with site.client() as client:
        one, two = [
            await client.post(
                "/api/tasks", json={"task_type": "echo"}, headers={"Authorization": f"Bearer {t}"}
            )
            for t in (live, dead)
        ]
    assert (one.status_code, one.json()["owner"], two.status_code) == (202, "ann", 401)


async def test_a_token_is_dead_at_its_expiry_to_the_millisecond(make_site: MakeSite) -> None:
    """The server's own clock decides, and an expiry gets no leeway."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    token = issue_jwt(site.app.credentials, "ann", ttl_seconds=60, now_ms=clock.now_ms())
    async with site.client({"Authorization": f"Bearer {token}"}) as client:
        clock.advance(59.999)
        alive = await client.get("/api/tasks")
        clock.advance(0.001)
        dead = await client.get("/api/tasks")
    assert (alive.status_code, dead.status_code) == (200, 401)


@pytest.mark.parametrize("claim", ["nbf", "iat"])
async def test_clocks_may_differ_by_half_a_minute(make_site: MakeSite, claim: str) -> None:
    """A token from an issuer whose clock is 30 s ahead works; a second more and it does not."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    now = clock.now_ms() // 1000
    tokens = [
        signed(site.app.credentials.jwt_secret, {"sub": "ann", "exp": now + 600, claim: now + ahead})
        for ahead in (30, 31)
    ]
    async with site.client() as client:
        codes = [
            (await client.get("/api/tasks", headers={"Authorization": f"Bearer {token}"})).status_code
            for token in tokens
        ]
    assert codes == [200, 401]


@pytest.mark.parametrize(
    ("user", "tenant", "ttl"), [("", "", 60), ("a" * 65, "", 60), ("a", "b\n", 60), ("a", "", 0)]
)
async def test_a_token_that_could_not_work_is_not_issued(
    site: Site, user: str, tenant: str, ttl: float
) -> None:
    """An empty user, a name that is no owner, no lifetime: refused when issued."""
    with pytest.raises(InvalidInput):
        issue_jwt(site.app.credentials, user, tenant, ttl)


async def test_loopback_is_open_as_administrator(make_site: MakeSite) -> None:
    """With auth = loopback nobody needs a token."""
    site = await make_site(auth="loopback")
    async with site.client() as client:
        task = await site.submitted(client, owner="ann")
        assert (await client.get(f"/api/tasks/{task['id']}")).json()["owner"] == "ann"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:80", "[::1]", "[::1]:8000"]
)
async def test_loopback_answers_to_loopback_names(make_site: MakeSite, host: str) -> None:
    """The three names of this host, with any port."""
    site = await make_site(auth="loopback")
    async with site.client({"Host": host}) as client:
        assert (await client.get("/api/tasks")).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "localhost:x", "127.0.0.2",
     "0.0.0.0", "", "user@localhost", "[::]", "::1", "localhost/", "localhost."],
)  # fmt: skip
async def test_loopback_refuses_foreign_names(make_site: MakeSite, host: str) -> None:
    """A name that an attacker's DNS can point here is 400 on every address."""
    site = await make_site(auth="loopback")
    async with site.client({"Host": host}) as client:
        for path in ("/api/tasks", "/livez", "/docs", "/apps/notes/", "/nowhere"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (400, "foreign_host")


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:8000", "https://[::1]:8443"])
async def test_loopback_accepts_pages_of_this_host(make_site: MakeSite, origin: str) -> None:
    """Our own pages send an Origin too."""
    site = await make_site(auth="loopback")
    async with site.client({"Origin": origin}) as client:
        assert (await client.post("/api/tasks", json={"task_type": "echo"})).status_code == 202


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1@evil.example", "file://",
     "", "chrome-extension://abc", "http://evil.example:8000", "localhost"],
)  # fmt: skip
async def test_loopback_refuses_foreign_pages(make_site: MakeSite, origin: str) -> None:
    """A page of another site cannot submit to the open API behind its reader's back: 403."""
    site = await make_site(auth="loopback")
    async with site.client({"Origin": origin}) as client:
        answer = await client.post("/api/tasks", json={"task_type": "echo"})
        del client.headers["Origin"]
        assert (await client.get("/api/tasks")).json()["tasks"] == []
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


async def test_with_tokens_no_cross_origin_call_is_allowed(site: Site) -> None:
    """A preflight gets no permission: a foreign page cannot send the header that opens the API."""
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    async with site.client(headers) as client:
        answer = await client.options("/api/tasks")
    assert not [name for name in answer.headers if name.startswith("access-control")]
