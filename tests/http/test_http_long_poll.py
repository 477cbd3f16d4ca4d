"""Long polls: entity tags, If-None-Match, and what an answer says of its own life."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from site_under_test import MakeSite, Site

from duly.model.state import Status
from duly.store import journal
from support.patience import PATIENCE


async def looked(client: httpx2.AsyncClient, path: str, tag: str | None = None, **more: Any) -> Any:
    headers = {} if tag is None else {"If-None-Match": tag}
    return await client.get(path, headers={**headers, **more})


async def test_an_answer_has_a_tag_that_changes_with_the_task(site: Site) -> None:
    """The same task has the same tag, a changed one another."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        first, again = await ann.get(path), await ann.get(path)
        await site.finish(1)
        last = await ann.get(path)
    assert first.headers["etag"] == again.headers["etag"] != last.headers["etag"]


@pytest.mark.parametrize("form", ["{}", '"x", {}', "*", '{}, W/"y"'])
async def test_what_the_caller_has_is_not_sent_again(site: Site, form: str) -> None:
    """304 without a body, with the tag; weak tags and lists of them are read."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        tag = (await ann.get(path)).headers["etag"]
        answer = await looked(ann, path, form.format(tag))
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert "Accept-Language" in answer.headers["vary"]


async def test_a_poll_answers_at_once_when_the_caller_has_something_old(site: Site) -> None:
    """A wait of a minute is none when there is news already."""
    async with site.user("ann") as ann, asyncio.timeout(PATIENCE):
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        answer = await looked(ann, f"{path}?wait=60", '"old"')
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")


async def test_a_poll_in_vain_ends_with_304(site: Site) -> None:
    """At the end of the wait nothing has changed."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        tag = (await ann.get(path)).headers["etag"]
        answer = await looked(ann, f"{path}?wait=0.05", tag)
    assert answer.status_code == 304


async def test_a_change_ends_a_poll_though_the_task_goes_on(site: Site) -> None:
    """Not only the end: that an attempt starts, and each step of its progress, is news."""
    async with site.user("ann") as ann, asyncio.timeout(PATIENCE):
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        tag = (await ann.get(path)).headers["etag"]
        polling = await site.polling(looked(ann, f"{path}?wait=60", tag))
        [one] = await site.claim()
        started = await polling
        polling = await site.polling(looked(ann, f"{path}?wait=60", started.headers["etag"]))
        await progress(site, one)
        moved = await polling
    assert (started.status_code, started.json()["status"]) == (200, "running")
    assert (moved.status_code, moved.json()["progress"]) == (200, 0.5)


async def progress(site: Site, one: Any) -> None:
    told = journal.Lines(id=one.id, attempt=one.attempt, progress=0.5)
    assert await site.app.database.write(journal.append, told)


async def test_another_language_is_another_answer(site: Site) -> None:
    """The tag is of the bytes that were sent."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        await site.finish(target=Status.FAILED)
        tag = (await ann.get(path)).headers["etag"]
        answer = await looked(ann, path, tag, **{"Accept-Language": "zh"})
    assert answer.status_code == 200


async def test_prefer_shapes_a_look_as_it_shapes_a_submit(site: Site) -> None:
    """`Prefer: wait=N` waits; what was applied is told, capped."""
    async with site.user("ann") as ann:
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        polling = await site.polling(looked(ann, path, Prefer="wait=900"))
        await site.finish(7)
        answer = await polling
    assert (answer.json()["result"], answer.headers["preference-applied"]) == (7, "wait=60")
    assert "Prefer" in answer.headers["vary"]


async def test_a_living_task_says_when_to_ask_and_how_long_it_is_kept(make_site: MakeSite) -> None:
    """Retry-After while it lives, Duly-Retention always: of the task, else of the installation."""
    site = await make_site(retention_days=2)
    async with site.user("ann") as ann:
        plain = f"/api/tasks/{(await site.submitted(ann))['id']}"
        short = f"/api/tasks/{(await site.submitted(ann, result_ttl=90))['id']}"
        living, other = await ann.get(plain), await ann.get(short)
        await site.finish(1)
        ended = await ann.get(plain)
    assert (living.headers["retry-after"], living.headers["duly-retention"]) == ("2", "172800")
    assert other.headers["duly-retention"] == "90"
    assert "retry-after" not in ended.headers


async def test_a_batch_whose_members_move_is_news(site: Site) -> None:
    """Its counters are in its answer, so they end its polls."""
    async with site.admin as admin, asyncio.timeout(PATIENCE):
        body = {"tasks": [{"task_type": "echo"}]}
        path = (await admin.post("/api/batches", json=body)).headers["location"]
        tag = (await admin.get(path)).headers["etag"]
        polling = await site.polling(looked(admin, f"{path}?wait=60", tag))
        await admin.delete(path)
        answer = await polling
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


async def test_a_server_that_stops_ends_polls(site: Site) -> None:
    """A poll never holds up a drain."""
    async with site.user("ann") as ann, asyncio.timeout(PATIENCE):
        path = f"/api/tasks/{(await site.submitted(ann))['id']}"
        tag = (await ann.get(path)).headers["etag"]
        polling = await site.polling(looked(ann, f"{path}?wait=60", tag))
        site.api.state.stopping.set()
        assert (await polling).status_code == 304
