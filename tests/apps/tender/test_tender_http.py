"""The tender desk over HTTP, as its users meet it: the shape of each state, and documents that fail."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from desks import Desk, accepted, look, refused, scan, text, upload
from pypdf import PdfWriter

from duly_apps.tender.offline.engine import OfflineAnalyser
from duly_apps.tender.samples import sample

TEXT = "项目名称：智慧校园建设项目\n预算金额：人民币380万元\n"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
STATUSES = (
    "scheduled", "pending", "blocked", "running", "retry", "waiting", "completed", "failed", "cancelled",
)  # fmt: skip
#: What row 001-19 names, with the fields that every task has besides.
FIELDS = {
    "id", "task_type", "status", "retry_count", "max_retries", "created_at", "metadata", "result", "error",
}  # fmt: skip

Json = dict[str, Any]


QUICKLY = OfflineAnalyser.section


@contextlib.asynccontextmanager
async def held(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """While this is open a worker stands in the middle of an analysis."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def section(self: OfflineAnalyser, key: str, document: Any) -> Json:
        begun.set()
        await go_on.wait()
        return await QUICKLY(self, key, document)

    monkeypatch.setattr(OfflineAnalyser, "section", section)
    working = asyncio.create_task(desk.inside.run_until_idle())
    async with asyncio.timeout(30):
        await begun.wait()
        yield
        go_on.set()
        await working


async def test_a_text_is_accepted(desk: Desk) -> None:
    """001-19: the acknowledged task, its address, its source, the retries asked for."""
    client = desk.user("alice")
    answer = await text(client, max_retries="3")
    task = accepted(answer)
    assert task.keys() >= FIELDS
    told = [task[name] for name in ("task_type", "status", "retry_count", "max_retries", "metadata")]
    assert told == ["bidding_analysis", "pending", 0, 3, {"source": "text"}]
    assert ISO.fullmatch(task["created_at"])
    assert answer.headers["location"] == f"/api/tasks/{task['id']}"
    assert await look(client, task["id"]) == task


async def test_a_file_is_accepted(desk: Desk) -> None:
    """001-20: the same for a file; zero retries are retries too, and three are the default."""
    client, data = desk.user("alice"), sample("smart-campus-zh.pdf").read_bytes()
    task = accepted(await upload(client, "tender.pdf", data, max_retries="0"))
    assert (task["status"], task["max_retries"], task["metadata"]) == (
        "pending",
        0,
        {"source": "file", "name": "tender.pdf"},
    )
    assert accepted(await upload(client, "tender.pdf", data))["max_retries"] == 3


async def test_a_running_task(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """001-21: when it began, how far it is, and no result yet."""
    client = desk.user("alice")
    id_ = accepted(await text(client))["id"]
    async with held(desk, monkeypatch):
        task = await look(client, id_)
        stats = (await client.get("/api/tasks/stats")).json()["stats"]
    assert (task["status"], task["result"], task["completed_at"]) == ("running", None, None)
    assert ISO.fullmatch(task["started_at"])
    assert task["progress_message"] == "reading text"
    assert (stats["running"], stats["pending"]) == (1, 0)


async def test_a_completed_task(desk: Desk) -> None:
    """001-22: a summary, seven tabs, and how long it took."""
    client = desk.user("alice")
    id_ = accepted(await upload(client, "智慧校园.pdf", sample("smart-campus-zh.pdf").read_bytes()))["id"]
    await desk.inside.run_until_idle()
    task = await look(client, id_)
    assert (task["status"], task["error"], task["error_code"]) == ("completed", None, None)
    assert ISO.fullmatch(task["completed_at"])
    assert (task["metadata"]["source"], type(task["metadata"]["duration_ms"])) == ("file", int)
    assert len(task["result"]["tabs"]) == 7
    assert "智慧校园" in task["result"]["summary"]
    assert task["result"]["document"]["name"] == "智慧校园.pdf"


async def test_a_user_lists_his_own_tasks(desk: Desk) -> None:
    """001-25: newest first, in pages, without results; nobody else's."""
    alice, bob = desk.user("alice"), desk.user("bob")
    mine = [accepted(await text(alice))["id"] for _ in range(3)]
    theirs = accepted(await text(bob))["id"]
    listed = (await alice.get("/api/tasks", params={"limit": 20, "offset": 0})).json()
    assert [task["id"] for task in listed["tasks"]] == mine[::-1]
    second = (await alice.get("/api/tasks?limit=1&offset=1")).json()["tasks"]
    assert [task["id"] for task in second] == [mine[1]]
    assert [task["id"] for task in (await bob.get("/api/tasks")).json()["tasks"]] == [theirs]


async def test_stats_have_every_status(desk: Desk) -> None:
    """001-26: zeros too, and only the caller's own tasks are counted."""
    alice, bob = desk.user("alice"), desk.user("bob")
    accepted(await text(bob))
    zeros = dict.fromkeys(STATUSES, 0)
    assert (await alice.get("/api/tasks/stats")).json() == {"stats": zeros}
    accepted(await text(alice))
    assert (await alice.get("/api/tasks/stats")).json() == {"stats": zeros | {"pending": 1}}


async def test_a_waiting_task_is_cancelled_at_once(desk: Desk) -> None:
    """001-27: DELETE cancels, a second DELETE changes nothing, and no worker takes it."""
    client = desk.user("alice")
    id_ = accepted(await text(client))["id"]
    first = await client.delete(f"/api/tasks/{id_}")
    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    await desk.inside.run_until_idle()
    assert (await client.delete(f"/api/tasks/{id_}")).json() == await look(client, id_) == first.json()


async def test_a_running_task_is_cancelled(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """001-27: a running analysis is told to stop, and ends as cancelled without a result."""
    client = desk.user("alice")
    id_ = accepted(await text(client))["id"]
    async with held(desk, monkeypatch):
        asked = (await client.delete(f"/api/tasks/{id_}")).json()
        assert (asked["status"], asked["cancel_requested"]) == ("running", True)
        await desk.inside.worker.runner.look_for_cancels()
        task = (await client.get(f"/api/tasks/{id_}", params={"wait": 10})).json()
    assert (task["status"], task["result"]) == ("cancelled", None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("GET", "/events"),
        ("GET", "/why"),
    ],
)
async def test_somebody_elses_task_is_not_there(desk: Desk, method: str, path: str) -> None:
    """Another user's task answers as one that does not exist, and stays as it is."""
    alice = desk.user("alice")
    task = accepted(await text(alice))
    answer = await desk.user("bob").request(method, f"/api/tasks/{task['id']}{path}")
    refused(answer, 404, "task_not_found")
    assert await look(alice, task["id"]) == task


def encrypted() -> bytes:
    """A PDF behind a password."""
    writer = PdfWriter(clone_from=sample("smart-campus-zh.pdf"))
    writer.encrypt("secret", "owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def bomb() -> bytes:
    """A DOCX of a few hundred kilobytes that unpacks to 300 MB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b" " * 300_000_000)
    return out.getvalue()


UNREADABLE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "cut off": ("a.pdf", lambda: sample("smart-campus-zh.pdf").read_bytes()[:3000], "corrupt_document"),
    "encrypted": ("a.pdf", encrypted, "encrypted_document"),
    "zip bomb": ("a.docx", bomb, "document_too_large"),
    "scan": ("a.pdf", scan, "needs_ocr"),
    "broken map": ("a.pdf", lambda: sample("broken-map-zh.pdf").read_bytes(), "text_unreadable"),
    "not a PDF": ("a.pdf", TEXT.encode, "corrupt_document"),
    "a picture": ("a.png", lambda: b"\x89PNG\r\n\x1a\n" + bytes(99), "unsupported_document"),
    "a program": ("a.exe", lambda: b"MZ\x90" + bytes(range(256)) * 9, "unsupported_document"),
    "blank": ("a.txt", lambda: b" \n\t\n", "empty_document"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_a_document_that_cannot_be_read_ends_its_task(desk: Desk, kind: str) -> None:
    """One failed task with a code and a line for people, without a retry; the next task is not disturbed."""
    name, data, code = UNREADABLE[kind]
    client = desk.user("alice")
    bad = accepted(await upload(client, name, data()))["id"]
    good = accepted(await text(client))["id"]
    await desk.inside.run_until_idle()
    task = await look(client, bad)
    told = (task["status"], task["error_code"], task["result"], task["attempt"])
    assert told == ("failed", code, None, 1)
    assert re.fullmatch(r"[A-Z][^\n]{20,150}\.", task["error"])
    assert (await look(client, good))["status"] == "completed"


@pytest.mark.parametrize("name", ["tender.txt", "tender.docx", "tender"])
async def test_the_content_counts_not_the_name(desk: Desk, name: str) -> None:
    """A PDF under another name is read as the PDF that it is."""
    client = desk.user("alice")
    id_ = accepted(await upload(client, name, sample("smart-campus-zh.pdf").read_bytes()))["id"]
    await desk.inside.run_until_idle()
    assert (await look(client, id_))["result"]["document"]["kind"] == "pdf"


@pytest.mark.parametrize(
    "name", ["../../etc/tender.txt", "..\\..\\tender.txt", "/tender.txt", "\u202etender.txt"]
)
async def test_a_name_leads_nowhere(desk: Desk, name: str) -> None:
    """Of a path only its last part is kept, without characters that turn the text around."""
    client = desk.user("alice")
    id_ = accepted(await upload(client, name, TEXT.encode()))["id"]
    await desk.inside.run_until_idle()
    assert (await look(client, id_))["result"]["document"]["name"] == "tender.txt"


async def test_a_name_forges_no_log_line(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    """Line breaks in a file's name and in a task type do not begin a line of the log."""
    client, forged = desk.user("alice"), "a\nts=1 level=error event=forged"
    place = f'form-data; name="file"; filename="{forged}.pdf"'
    body = f"--b\r\nContent-Disposition: {place}\r\n\r\nx\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    await client.post("/api/tasks/bidding/file", content=body.encode(), headers=headers)
    refused(await client.post("/api/tasks", json={"task_type": forged}), 422, "unknown_task_type")
    await desk.inside.run_until_idle()
    assert "\nts=1 " not in "".join(capfd.readouterr())


LARGE = "a" * 2_000_000
MISFITS: list[tuple[str, Json, int, str]] = [
    ("text", {"data": {"text": TEXT, "max_retries": "11"}}, 422, "invalid_input"),
    ("text", {"data": {"text": TEXT, "max_retries": "x"}}, 422, "invalid_input"),
    ("text", {"data": {"text": ""}}, 422, "invalid_input"),
    ("text", {"data": {"max_retries": "3"}}, 422, "invalid_input"),
    ("text", {"content": b""}, 422, "invalid_input"),
    ("text", {"data": {"text": "a\x00b"}}, 422, "not_json"),
    ("text", {"data": {"text": TEXT, "callback_url": "ftp://example.org"}}, 422, "invalid_input"),
    ("text", {"data": {"text": LARGE}}, 413, "too_large"),
    ("text", {"files": {"text": (None, LARGE)}}, 400, "bad_request"),
    ("file", {"data": {"max_retries": "3"}}, 422, "invalid_input"),
    ("file", {"files": {"file": ("empty.pdf", b"")}}, 422, "empty_upload"),
    ("file", {"files": {"file": ("a.txt", b"a")}, "data": {"max_retries": "11"}}, 422, "invalid_input"),
    ("file", {"data": {"file": "a text in place of a file"}}, 422, "invalid_input"),
]


@pytest.mark.parametrize(("path", "parts", "status", "code"), MISFITS)
async def test_a_form_that_does_not_fit_is_refused(
    desk: Desk, path: str, parts: Json, status: int, code: str
) -> None:
    """One clear problem, and no task."""
    client = desk.user("alice")
    problem = refused(await client.post(f"/api/tasks/bidding/{path}", **parts), status, code)
    assert status == 422 or re.search(r"1048576 bytes|1024KB", problem["detail"])
    assert not any((await client.get("/api/tasks/stats")).json()["stats"].values())
