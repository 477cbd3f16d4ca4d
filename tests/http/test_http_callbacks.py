"""Callbacks of external jobs: the secret in the address opens one place, and everything else is not there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from site_under_test import Site

from duly.model.job import Answered, Opened, Submitted, signal_name
from duly.model.task import Claimed, Step
from duly.store import jobs, lists
from duly.submit import callbacks

SECRET = "a-secret-of-the-vendors"
WAIT = Step(name="film", n=2, digest="w", value="null", attempt=1, waits_for=signal_name("film", 1))


def report(claimed: Claimed, word: object) -> jobs.Report:
    what = {"name": "film", "n": 1, "wait": WAIT, "word": word}
    return jobs.Report(id=claimed.id, attempt=claimed.attempt, **what)  # type: ignore[arg-type]


@pytest.fixture
async def claimed(site: Site) -> Claimed:
    """A task that runs and tracks a film."""
    async with site.user("ann") as ann:
        await site.submitted(ann)
    [one] = await site.claim()
    step = Step(name="film", n=1, digest="s", value='"v-1"', attempt=1)
    secret = callbacks.sha256(SECRET.encode()).hexdigest()
    for word in (Opened(secret), Submitted(step, "v-1", 60_000, None, None)):
        assert await site.app.database.write(jobs.report, report(one, word)) is not None
    return one


@pytest.fixture
async def vendor(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without credentials."""
    async with site.client() as client:
        yield client


def address(id_: str, name: str = "film", secret: str = SECRET) -> str:
    return f"/api/callbacks/{id_}/{name}/{secret}"


async def kept(site: Site, id_: str) -> list[str]:
    """What the vendor said, as it stands in the store."""
    return [row["data"] for row in await site.app.database.read(lists.rows_of, "signal", id_)]


async def test_a_callback_needs_its_address_only(
    site: Site, vendor: httpx2.AsyncClient, claimed: Claimed
) -> None:
    """Any JSON is kept for the attempt that tracks the job, the same words once."""
    for _ in range(2):
        answer = await vendor.post(address(claimed.id), json={"status": "done"})
        assert (answer.status_code, answer.json()) == (200, {"kept": True})
    assert (await vendor.post(address(claimed.id), json="text")).status_code == 200
    assert await kept(site, claimed.id) == ['{"status":"done"}', '"text"']


@pytest.mark.parametrize("wrong", ["secret", "longer", "empty", "name", "task", "no task", "strange", "hash"])
async def test_a_wrong_address_is_not_there(
    site: Site, vendor: httpx2.AsyncClient, claimed: Claimed, wrong: str
) -> None:
    """Whatever is wrong with it, the answer is the same, and nothing of the body is read."""
    hashed = callbacks.sha256(SECRET.encode()).hexdigest()
    path = {
        "secret": address(claimed.id, secret=f"{SECRET[:-1]}x"),
        "longer": address(claimed.id, secret=f"{SECRET}x"),
        "empty": address(claimed.id, secret="%20"),
        "name": address(claimed.id, "other"),
        "task": address(f"{claimed.id[:-1]}{'0' if claimed.id[-1] != '0' else '1'}"),
        "no task": address("x"),
        "strange": address("%00%ff", "a/b%00", "%ed%a0%80"),
        "hash": address(claimed.id, secret=hashed),
    }[wrong]
    answer = await vendor.post(path, content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (404, "callback_not_found")
    assert answer.json()["detail"] == "There is no such callback."
    assert await kept(site, claimed.id) == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"", {}, 400),
        (b'"\\ud800"', {}, 400),
        (b"status=done", {"content-type": "application/x-www-form-urlencoded"}, 415),
    ],
)
async def test_a_body_that_is_no_json_is_refused(
    site: Site,
    vendor: httpx2.AsyncClient,
    claimed: Claimed,
    body: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    """With a problem that says so; nothing is kept."""
    headers = {"content-type": "application/json", **headers}
    answer = await vendor.post(address(claimed.id), content=body, headers=headers)
    assert answer.status_code == status
    assert await kept(site, claimed.id) == []


async def test_a_large_body_is_refused(site: Site, vendor: httpx2.AsyncClient, claimed: Claimed) -> None:
    """As everywhere; nothing is kept."""
    answer = await vendor.post(address(claimed.id), json="x" * site.app.settings.body_limit)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert await kept(site, claimed.id) == []


async def test_only_a_post_calls_back(vendor: httpx2.AsyncClient, claimed: Claimed) -> None:
    """An address that is opened in a browser does nothing."""
    assert (await vendor.get(address(claimed.id))).status_code == 405


async def test_a_job_that_has_ended_keeps_nothing(
    site: Site, vendor: httpx2.AsyncClient, claimed: Claimed
) -> None:
    """The vendor is told so, in good order: he need not try again."""
    await site.app.database.write(jobs.report, report(claimed, Answered("1")))
    answer = await vendor.post(address(claimed.id), json={"status": "done"})
    assert (answer.status_code, answer.json()) == (200, {"kept": False})
    assert len(await kept(site, claimed.id)) == 1


async def test_the_secret_is_in_no_store_and_in_no_answer(
    site: Site, vendor: httpx2.AsyncClient, claimed: Claimed
) -> None:
    """Only its SHA-256 is kept."""
    await vendor.post(address(claimed.id), json={"status": "done"})
    tables = ("job", "step", "signal", "event", "task_data")
    rows = [await site.app.database.read(lists.rows_of, table, claimed.id) for table in tables]
    assert SECRET not in str(rows)
    async with site.admin as admin:
        seen = (await admin.get(f"/api/tasks/{claimed.id}/events")).text
    assert not re.search(f"{SECRET}|{callbacks.sha256(SECRET.encode()).hexdigest()}", seen)
    assert '"external_id":"v-1"' in seen


async def test_secrets_are_compared_in_constant_time(
    monkeypatch: pytest.MonkeyPatch, vendor: httpx2.AsyncClient, claimed: Claimed
) -> None:
    """By the function that is made for it, and by its hash: no part of a guess shows how near it is."""
    asked: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> bool:
        asked.append((one, other))
        return False

    monkeypatch.setattr(callbacks.hmac, "compare_digest", compare)
    assert (await vendor.post(address(claimed.id), json=1)).status_code == 404
    assert [len(one) for one in asked[0]] == [64, 64]
