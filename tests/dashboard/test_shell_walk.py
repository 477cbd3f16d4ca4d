"""The pages in a real browser, before a real server: from signing in to a task's end; nothing complains."""

from __future__ import annotations

from typing import Any

import httpx2

from support.browsing import Server, fits, sign_in


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


def test_the_api_is_told(page: Any, server: Server) -> None:
    """Without a script and without a network beyond this server; an operation opens, and fits the width."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/docs")
    page.click("details:has(summary b.post):has(code:text-is('/api/tasks')) summary")
    page.wait_for_selector("details[open] code:text-is('Idempotency-Key')")
    assert fits(page)
    assert page.evaluate("getComputedStyle(document.querySelector('.verb')).borderRadius") == "6px"
    assert [url for url in asked if not url.startswith(server.url)] == []
