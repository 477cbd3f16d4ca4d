"""What an app's routes get: a caller who submits and uploads."""

from __future__ import annotations

import hashlib

import pytest
from site_under_test import MakeSite, Site

from duly import Duly
from duly.config import Settings, SettingsError
from duly.http import create_api
from duly.http.caller import display_name
from duly.runtime.app import App
from duly.store import blobs, lists


async def test_an_app_submits_for_its_caller(site: Site) -> None:
    """The task belongs to the caller, with what the route said about it."""
    async with site.user("ann", "acme") as ann:
        answer = await ann.post("/api/notes", json={"x": 1})
        task = answer.json()
        mine = (await ann.get("/api/tasks")).json()["tasks"]
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/tasks/{task['id']}")
    assert (task["owner"], task["max_retries"], task["metadata"]) == ("ann", 0, {"source": "note"})
    assert [one["id"] for one in mine] == [task["id"]]
    [delivery] = await site.app.database.read(lists.rows_of, "delivery", task["id"])
    assert delivery["channel"] == "inbox"


async def test_an_apps_route_heeds_the_callers_headers(site: Site) -> None:
    """Prefer and Idempotency-Key work on an app's routes as on ours."""
    headers = {"Idempotency-Key": "k", "Prefer": "respond-async"}
    async with site.user("ann") as ann:
        one, two = [await ann.post("/api/notes", json={"x": 1}, headers=headers) for _ in range(2)]
    assert one.json()["id"] == two.json()["id"]
    assert two.headers["idempotency-replayed"] == "true"
    assert two.headers["preference-applied"] == "respond-async"


async def test_an_apps_route_refuses_what_its_handler_would(site: Site) -> None:
    """A key of the input that would hide the handler's context is not passed on."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/notes", json=[1])
    assert answer.status_code == 422


async def test_an_upload_is_kept_by_its_content(site: Site) -> None:
    """The answer names the SHA-256 under which the bytes are, and what the file was called."""
    data = bytes(range(256)) * 8192
    async with site.user("ann") as ann:
        answer = await ann.post("/api/files", files={"file": ("标书.pdf", data, "application/pdf")})
    upload = answer.json()
    assert upload == {
        "blob": hashlib.sha256(data).hexdigest(),
        "name": "标书.pdf",
        "size": len(data),
        "content_type": "application/pdf",
    }
    assert await site.app.database.read(blobs.get, upload["blob"]) == data


@pytest.mark.parametrize("kind", ["text/html\r\nX: y", "<script>", "", "a" * 200 + "/b", "text"])
async def test_a_content_type_that_is_none_is_not_kept(site: Site, kind: str) -> None:
    """What a client calls the type is kept only if it is one."""
    head = 'Content-Disposition: form-data; name="file"; filename="a"'
    part = f"--x\r\n{head}\r\nContent-Type: {kind}\r\n\r\nz\r\n--x--\r\n"
    async with site.user("ann") as ann:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await ann.post("/api/files", content=part.encode(), headers=headers)
    assert answer.json().get("content_type") in ("application/octet-stream", "text/html")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("tender.pdf", "tender.pdf"),
        ("标书 (最终版).docx", "标书 (最终版).docx"),
        ("📄.txt", "📄.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\system32", "system32"),
        ("C:\\secret.txt", "secret.txt"),
        ("/absolute", "absolute"),
        ("a\x00b.txt", "ab.txt"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("a\u2028b", "ab"),
        ("\ud800x", "x"),
        ("..", "file"),
        ("", "file"),
        (" . ", "file"),
        ("/", "file"),
        ("e\u0301.txt", "é.txt"),
    ],
)
def test_a_file_name_is_shown_and_nothing_else(given: str, shown: str) -> None:
    """No folder, no control or direction character is left in a name."""
    assert display_name(given) == shown


def test_a_long_file_name_is_cut_at_a_character() -> None:
    """At most 255 bytes, and never half a character."""
    name = display_name("标" * 200)
    assert name == "标" * 85


async def test_an_apps_pages_are_open_and_its_routes_are_not(site: Site) -> None:
    """A page under /apps/ is read before anybody can show a token; everything else of an app is closed."""
    async with site.client() as stranger, site.user("ann") as ann:
        assert (await stranger.get("/apps/notes/")).text == "<p>notes</p>"
        assert (await stranger.get("/api/private")).status_code == 401
        assert (await ann.get("/api/private")).json() == {"secret": "yes"}


@pytest.mark.parametrize("spec", ["nowhere:router", "app_routes:nothing", "app_routes:Any", "app_routes"])
async def test_routes_that_cannot_be_loaded_stop_the_start(make_site: MakeSite, spec: str) -> None:
    """A misspelt route is a setting that is wrong, named as it was written."""
    app = (await make_site()).app
    app.declared.routes(spec)
    with pytest.raises(SettingsError, match=spec):
        create_api(app)


def test_no_route_is_loaded_before_the_api_is_made() -> None:
    """A worker without the API never imports the routes."""
    duly = Duly()
    duly.routes("nowhere:router")
    App(Settings(), duly)
