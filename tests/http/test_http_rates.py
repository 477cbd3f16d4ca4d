"""How many requests a caller may make: exact over all processes, told in headers that others can parse."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import http_sfv
import pytest
from site_under_test import MakeSite, Site
from sites_on_servers import KINDS, sites

from duly.clock import SystemClock
from duly.config import SettingsError, load
from duly.store import buckets
from duly.store.buckets import Lease
from duly.testing import FakeClock

COUNT = 40


def fields(answer: Any) -> tuple[Any, Any]:
    """Both headers, as an independent parser of structured fields reads them."""
    policy, state = http_sfv.List(), http_sfv.List()
    policy.parse(answer.headers["ratelimit-policy"].encode())
    state.parse(answer.headers["ratelimit"].encode())
    return policy[0], state[0]


async def asked(*several: Site, times: int) -> list[Any]:
    """So many requests of one user, spread over the processes, at once."""
    clients = [site.user("ann") for site in several]
    try:
        calls = [clients[n % len(clients)].get("/api/tasks/stats") for n in range(times)]
        return list(await asyncio.gather(*calls))
    finally:
        for client in clients:
            await client.aclose()


@pytest.mark.parametrize("kind", KINDS)
async def test_the_policy_is_exact_over_processes(kind: str, tmp_path: Path) -> None:
    """Two processes together let pass what the policy says, and not one more."""
    async with sites(kind, tmp_path, rate_limit=f"{COUNT}/h") as both:
        answers = await asked(*both, times=3 * COUNT)
    counted = Counter(answer.status_code for answer in answers)
    assert counted == {200: COUNT, 429: 2 * COUNT}


async def test_the_headers_are_structured_fields(make_site: MakeSite) -> None:
    """Policy and what is left, by name; what is left goes down and is never negative."""
    site = await make_site(rate_limit="3/m", clock=FakeClock(SystemClock().now_ms()))
    answers = [(await asked(site, times=1))[0] for _ in range(4)]
    told = [fields(answer) for answer in answers]
    assert {policy.value for policy, _ in told} == {state.value for _, state in told} == {"default"}
    assert {(policy.params["q"], policy.params["w"]) for policy, _ in told} == {(3, 60)}
    assert [state.params["r"] for _, state in told] == [2, 1, 0, 0]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) == told[-1][1].params["t"] == 20


async def test_a_refusal_says_which_policy_and_when(make_site: MakeSite) -> None:
    """A problem of the registered type, in the caller's language; after the time there is a permit."""
    clock = FakeClock(SystemClock().now_ms())
    site = await make_site(rate_limit="1/m", clock=clock)
    async with site.user("ann") as ann:
        await ann.get("/api/tasks")
        refused = await ann.get("/api/tasks", headers={"Accept-Language": "zh"})
        clock.advance(60)
        again = await ann.get("/api/tasks")
    problem = refused.json()
    assert (refused.status_code, problem["code"]) == (429, "rate_limited")
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert problem["violated-policies"] == ["default"]
    assert problem["detail"] == "请求过于频繁，请在 60 秒后重试。"
    assert again.status_code == 200


async def test_each_caller_has_his_own(make_site: MakeSite) -> None:
    """Users, tenants and the administrator do not take each other's; a stranger takes nobody's."""
    site = await make_site(rate_limit="1/h", clock=FakeClock(SystemClock().now_ms()))
    clients = [site.user("ann"), site.user("bob"), site.user("ann", "acme"), site.admin]
    found = [(await client.get("/api/tasks")).status_code for client in clients]
    async with site.client() as stranger:
        refused = await stranger.get("/api/tasks")
        assert (await stranger.get("/livez")).status_code == 200
    for client in clients:
        await client.aclose()
    assert found == [200, 200, 200, 200]
    assert (refused.status_code, "ratelimit" in refused.headers) == (401, False)


async def test_most_requests_write_nothing(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permits are leased in batches, and a refusal holds until there can be one."""
    site = await make_site(rate_limit="640/h", clock=FakeClock(SystemClock().now_ms()))
    leases: list[Any] = []
    write = site.app.database.write

    async def counted(verb: Any, item: Any, **more: Any) -> Any:
        leases.extend([item] if verb is buckets.lease else [])
        return await write(verb, item, **more)

    monkeypatch.setattr(site.app.database, "write", counted)
    answers = await asked(site, times=1000)
    assert Counter(answer.status_code for answer in answers) == {200: 640, 429: 360}
    assert len(leases) < 40


async def test_what_a_slow_write_paid_for_is_handed_out(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its second begins when the permits are there, though their write took more than that."""
    clock, wants = FakeClock(SystemClock().now_ms()), list[int]()
    site = await make_site(rate_limit="640/h", clock=clock)
    write = site.app.database.write

    async def slow(verb: Any, item: Any, **more: Any) -> Any:
        answer = await write(verb, item, **more)
        if verb is buckets.lease:
            wants.append(item.want)
            clock.advance(1.2)
        return answer

    monkeypatch.setattr(site.app.database, "write", slow)
    answers = await asked(site, times=30)
    assert Counter(answer.status_code for answer in answers) == {200: 30}
    assert wants == [1, 2, 4, 8, 16]


async def test_without_the_setting_nothing_is_counted(site: Site) -> None:
    """Off by default."""
    [answer] = await asked(site, times=1)
    assert "ratelimit" not in answer.headers


async def test_a_full_bucket_is_forgotten(make_site: MakeSite) -> None:
    """It is as good as none."""
    clock = FakeClock(SystemClock().now_ms())
    site = await make_site(clock=clock)
    write = site.app.database.write
    await write(buckets.lease, Lease("a", 2, 2, 60_000))
    await write(buckets.forget, None)
    assert (await write(buckets.lease, Lease("a", 1, 2, 60_000))).permits == 0
    clock.advance(61)
    await write(buckets.forget, None)
    assert (await write(buckets.lease, Lease("a", 9, 2, 60_000))).permits == 2


@pytest.mark.parametrize("text", ["600", "0/m", "x/m", "1/0s", "-1/s", "1/y"])
def test_a_limit_that_cannot_be_read_is_a_wrong_setting(text: str) -> None:
    """Told at the start, with the form it has."""
    with pytest.raises(SettingsError, match="rate_limit"):
        load({"rate_limit": text}, environ={})
