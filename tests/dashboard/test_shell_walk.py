"""The pages in a real browser, before a real server: from signing in to a task's end; nothing complains."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.serving import serving

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 30_000
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
#: Language, light, width: a desk in English, a desk in Chinese at night, a phone.
WALKS = [("en-GB", "light", 1200), ("zh-CN", "dark", 1200), ("zh-CN", "light", 390)]
#: What the page itself hears of its policy being broken, kept where the test finds it.
WATCH = """window.broken = [];
addEventListener("securitypolicyviolation", (said) => broken.push(said.violatedDirective));"""


def needed() -> str:
    """The browser; a skip with its reason where there is none, a failure where there must be one."""
    if CHROMIUM is None and os.environ.get("DULY_REQUIRE_SERVICES") == "1":
        pytest.fail("chromium is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    return CHROMIUM


@dataclass
class Server:
    """A server of its own process in a folder of its own."""

    url: str
    token: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    needed()
    folder = tmp_path_factory.mktemp("shell")
    with serving(folder, "stories:duly", Path(__file__).parent, LANG="C.UTF-8") as (url, token):
        yield Server(f"{url}/", token)


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=needed(), args=FLAGS)
        yield one
        one.close()


@pytest.fixture(params=WALKS, ids=lambda walk: "-".join(map(str, walk)))
def page(request: pytest.FixtureRequest, browser: Any, server: Server) -> Iterator[Any]:
    """A new browser's first page; whatever it complains of fails the test."""
    language, light, width = request.param
    complaints: list[str] = []
    context = browser.new_context(
        locale=language, color_scheme=light, viewport={"width": width, "height": 800}, base_url=server.url
    )
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(WATCH)
    one = context.new_page()
    one.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    one.on("pageerror", lambda error: complaints.append(str(error)))
    yield one
    broken = one.evaluate("broken")
    context.close()
    # A wrong token and a forged request are refused on purpose; the browser says so as well.
    assert [text for text in complaints if "401" not in text and "403" not in text] == []
    assert broken == []


def sign_in(page: Any, token: str) -> None:
    page.goto("/")
    page.fill("input[name=token]", token)
    page.click("button.main")


def test_a_walk(page: Any, server: Server) -> None:
    """Sign in, hand in a task with a file, watch it, retry one that failed, filter, sign out."""
    sign_in(page, "not-it")
    page.wait_for_selector(".wrong:not(:empty)")
    sign_in(page, server.token)
    page.wait_for_selector(".filters")
    page.goto("/#/new")
    page.fill("input[name=task_type]", "story")
    page.fill("textarea[name=input]", '{"words": 12}')
    page.set_input_files(
        "input[type=file]", {"name": "招标 1.txt", "mimeType": "text/plain", "buffer": b"a tender"}
    )
    page.wait_for_selector(".file")
    page.click("button.main")
    page.wait_for_selector("pre.output")
    page.wait_for_selector("article .badge.completed")
    page.wait_for_selector(".json pre")
    assert "招标 1.txt" in page.inner_text(".json pre")
    assert "<b>" in page.inner_text(".json pre")
    page.goto("/#/new")
    page.fill("input[name=task_type]", "broken")
    page.click("button.main")
    page.wait_for_selector("article section.error")
    page.click("article .head button")
    page.wait_for_selector(".timeline li:nth-child(6)")
    page.goto("/#/tasks?status=failed")
    page.wait_for_selector(".tasks .badge.failed")
    assert page.locator(".tasks .badge.completed").count() == 0
    assert fits(page)
    page.click(".tools button:last-child")
    page.wait_for_selector("input[name=token]")


def fits(page: Any) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def test_a_list_is_alive(page: Any, server: Server) -> None:
    """What somebody else hands in appears, and ends, without a touch."""
    sign_in(page, server.token)
    page.wait_for_selector(".filters")
    headers = {"Authorization": f"Bearer {server.token}"}
    body = {"task_type": "story", "input": {"words": 3}}
    with httpx2.Client(headers=headers, base_url=server.url) as client:
        id_ = client.post("/api/tasks", json=body).json()["id"]
    page.wait_for_selector(f"tr:has(a[href='#/tasks/{id_}']) .badge.completed")


def test_language_and_light_are_kept(page: Any, server: Server) -> None:
    """The other ones, after a reload too."""
    page.goto("/")
    before = page.evaluate("[document.documentElement.lang, getComputedStyle(document.body).backgroundColor]")
    for number in (1, 2):
        page.click(f".tools button:nth-of-type({number})")
    page.reload()
    page.wait_for_selector("input[name=token]")
    after = page.evaluate("[document.documentElement.lang, getComputedStyle(document.body).backgroundColor]")
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_forged_request_is_refused(page: Any, server: Server) -> None:
    """The cookie alone does not act: the proof is missing."""
    sign_in(page, server.token)
    page.wait_for_selector(".filters")
    forge = """fetch("api/tasks", {method: "POST", headers: {"Content-Type": "application/json"},
      body: '{"task_type": "story"}'}).then((answer) => answer.status)"""
    with page.expect_event("console"):  # the browser says so as well
        assert page.evaluate(forge) == 403
