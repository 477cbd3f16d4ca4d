"""`duly.client` against a served API: what it asks, what it raises, how it comes back after a cut."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import served
from site_under_test import Site

from duly import client
from duly.client import AsyncDuly, Duly
from duly.http.identity import issue_jwt
from duly.store import journal


@pytest.fixture
async def url(site: Site) -> AsyncIterator[str]:
    """Where the site is served."""
    async with served(site) as address:
        yield address


@pytest.fixture
async def ann(site: Site, url: str) -> AsyncIterator[AsyncDuly]:
    """Her client."""
    async with AsyncDuly(url, issue_jwt(site.app.credentials, "ann")) as one:
        yield one


class Answers:
    """A server that answers each request with the next of these; a number of seconds is a Retry-After."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Takes note."""
        self.slept.append(seconds)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, tuple):
            status, after = answer
            return httpx2.Response(status, json={"code": "later"}, headers={"Retry-After": str(after)})
        return httpx2.Response(200, json=answer)

    def client(self, **options: Any) -> AsyncDuly:
        """Who asks it."""
        transport = httpx2.MockTransport(self)
        return AsyncDuly("http://duly", "t", sleep=self.sleep, transport=transport, **options)


async def test_a_task_from_submit_to_end(site: Site, ann: AsyncDuly) -> None:
    """Submitted, followed to its end, waited for."""
    task = await ann.submit("echo", {"text": "x"}, priority=7)
    assert (task["status"], task["priority"]) == ("pending", 7)
    told = []

    async def follow() -> None:
        told.extend([(event.seq, event.type) async for event in ann.stream(task["id"])])

    following = asyncio.create_task(follow())
    await site.finish({"ok": True})
    await following
    assert told == [(1, "accepted"), (2, "started"), (3, "completed")]
    assert (await ann.wait(task["id"]))["result"] == {"ok": True}
    assert (await ann.wait(task["id"], timeout=0))["status"] == "completed"


async def test_cancel_retry_upload_batch_and_inbox(ann: AsyncDuly, tmp_path: Path) -> None:
    """Each a call."""
    task = await ann.submit("echo")
    assert (await ann.cancel(task["id"]))["status"] == "cancelled"
    assert (await ann.retry(task["id"]))["status"] == "pending"
    (tmp_path / "a.txt").write_text("hello")
    assert (await ann.upload(tmp_path / "a.txt"))["size"] == 5
    assert (await ann.batch([{"task_type": "echo"}]))["task_type"] == "duly.batch"
    assert await ann.notifications() == []


class Pieces(httpx2.AsyncBaseTransport):
    """Refuses the first request, takes the next one, and keeps the pieces in which each came."""

    def __init__(self) -> None:
        self.came: list[list[bytes]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        self.came.append([piece async for piece in request.stream])
        later = httpx2.Response(503, json={"code": "not_ready"}, headers={"Retry-After": "0"})
        return later if len(self.came) == 1 else httpx2.Response(201, json={"size": 1})


@pytest.mark.parametrize("blocking", [False, True], ids=["async", "sync"])
async def test_a_file_is_sent_in_pieces(tmp_path: Path, blocking: bool) -> None:
    """It is never in memory as a whole; and sent again it is whole again."""
    file = tmp_path / "large.bin"
    file.write_bytes(b"0123456789abcdef" * 65_536)
    pieces = Pieces()

    def upload() -> None:
        with Duly("http://duly", transport=pieces) as duly:
            duly.upload(file)

    if blocking:
        await asyncio.to_thread(upload)
    else:
        async with AsyncDuly("http://duly", transport=pieces) as duly:
            await duly.upload(file)
    assert len(pieces.came) == 2
    for came in pieces.came:
        assert file.read_bytes() in b"".join(came)
        assert max(map(len, came)) <= 65_536


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda duly: duly.get("0" * 36), client.NotFound),
        (lambda duly: duly.submit("unheard"), client.Invalid),
        (lambda duly: duly.submit("echo", owner="bob"), client.Forbidden),
    ],
)
async def test_a_refusal_is_an_error_of_its_kind(ann: AsyncDuly, call: Any, kind: type[Exception]) -> None:
    """With the problem's code and detail."""
    with pytest.raises(kind) as refused:
        await call(ann)
    assert isinstance(refused.value, client.Problem)
    assert refused.value.detail
    assert refused.value.code != "error"


async def test_a_wrong_token_is_unauthorized(url: str) -> None:
    """Also for a stream."""
    async with AsyncDuly(url, "wrong") as nobody:
        with pytest.raises(client.Unauthorized):
            await nobody.get("x")
        with pytest.raises(client.Unauthorized):
            async for _ in nobody.stream("x"):
                pass


async def test_later_means_after_retry_after() -> None:
    """429 and 503 are asked again, then; a submit with the same key."""
    server = Answers((429, 7), (503, 90), {"id": "1"})
    async with server.client() as duly:
        assert await duly.submit("echo") == {"id": "1"}
    assert server.slept == [7, 60]
    assert len({request.headers["idempotency-key"] for request in server.requests}) == 1


async def test_patience_has_an_end() -> None:
    """Then the refusal is raised, or that nobody answers."""
    server = Answers(*[(503, 1)] * 3)
    async with server.client(retries=2) as duly:
        with pytest.raises(client.Unavailable):
            await duly.get("1")
    away = Answers(*[httpx2.ConnectError("refused")] * 3)
    async with away.client(retries=2) as duly:
        with pytest.raises(client.Unreachable):
            await duly.get("1")


async def test_what_may_have_been_done_is_not_sent_again() -> None:
    """A retry whose answer is lost is one run, not two."""
    server = Answers(httpx2.ReadTimeout("lost"), {})
    async with server.client() as duly:
        with pytest.raises(client.Unreachable):
            await duly.retry("1")
    assert len(server.requests) == 1


async def test_a_stream_is_taken_up_where_it_was_cut(site: Site, ann: AsyncDuly) -> None:
    """Lines and parts once each, whatever breaks between."""
    task = await ann.submit("echo")
    [claimed] = await site.claim()
    texts = ["0", "1\u2028\u2029", "2\x85\r\n\x0b", "3"]  # what ends a line for Python, and not for a stream
    parts = [
        journal.Part(id=task["id"], attempt=claimed.attempt, part=n, text=text)
        for n, text in enumerate(texts)
    ]
    got = []
    async for event in ann.stream(task["id"]):
        got.append(event.seq or event.data["text"])
        if event.type == "started" or (event.type == "partial" and len(got) < 6):
            site.api.state.stopping.set()  # all streams end; the next is another server's, as far as we know
            site.api.state.stopping.clear()
            await site.app.database.write(journal.stream, parts[len(got) - 2])
        if len(got) == 6:
            await ann.cancel(task["id"])
        if event.type == "cancel_requested":
            break
    assert got == [1, 2, *texts, 3]


async def test_where_nothing_streams_the_lines_are_polled(site: Site) -> None:
    """A proxy that answers JSON instead."""
    lines = [{"seq": n, "type": type_, "data": {}} for n, type_ in ((1, "accepted"), (2, "completed"))]
    nothing: list[Any] = [{}] * 3
    polled = [{"completed_at": None}, {"events": lines[:1]}, {"completed_at": "x"}, {"events": lines[1:]}]
    server = Answers(*nothing, *polled)
    async with server.client() as duly:
        assert [event.seq async for event in duly.stream("1")] == [1, 2]


async def test_many_tasks_are_followed(site: Site, ann: AsyncDuly) -> None:
    """First what stands, then each line with its task."""
    task = await ann.submit("echo")
    got = []
    async for event in ann.follow():
        got.append((event.type, event.task_id, event.seq))
        if event.type == "reset":
            await site.finish(1)
        if event.type == "completed":
            break
    assert got == [("reset", "", None), ("started", task["id"], 2), ("completed", task["id"], 3)]


async def test_the_blocking_client_does_the_same(site: Site, url: str) -> None:
    """In a program without a loop, or in a thread."""
    token, ready, told = issue_jwt(site.app.credentials, "ann"), asyncio.Event(), []
    loop = asyncio.get_running_loop()

    def program() -> None:
        with Duly(url, token) as duly:
            task = duly.submit("echo")
            loop.call_soon_threadsafe(ready.set)
            told.extend(event.type for event in duly.stream(task["id"]))
            told.append(duly.wait(task["id"], timeout=5)["status"])

    thread = threading.Thread(target=program)
    thread.start()
    await ready.wait()
    await site.finish(1)
    await asyncio.to_thread(thread.join)
    assert told == ["accepted", "started", "completed", "completed"]
