"""Inbox, deliveries, endpoints and keys in a real browser; and two tabs that share one stream."""

from __future__ import annotations

from typing import Any

import httpx2

from support.browsing import WALKS, Server, context, fits, sign_in

HOOK = "https://receiver.invalid/hook"
#: An address inside, which is refused without a send: its delivery is dead at once.
INSIDE = "http://127.0.0.1:8080/hook"


def asked(server: Server) -> httpx2.Client:
    """The administrator, from outside the browser."""
    return httpx2.Client(headers={"Authorization": f"Bearer {server.token}"}, base_url=server.url)


def submitted(server: Server, **more: Any) -> str:
    with asked(server) as client:
        body = {"task_type": "story", "input": {"words": 1}, **more}
        return str(client.post("/api/tasks", json=body).json()["id"])


def shown(page: Any, place: str, ready: str) -> None:
    """Goes to a page and waits for what tells that it is there."""
    page.goto(f"/#/{place}")
    page.wait_for_selector(ready)
    assert fits(page), place


def test_an_inbox_is_read(page: Any, server: Server) -> None:
    """A new line is unread, in the menu as well; marked, it is not, and the filter leaves it out."""
    id_ = submitted(server, deliver=["inbox"])
    sign_in(page, server.token)
    page.wait_for_selector(".filters")
    page.wait_for_selector(".top .count")
    line = f"tr:has(a[href='#/tasks/{id_}'])"
    shown(page, "inbox", f"{line}.unread")
    page.click(f"{line} .actions button")
    page.wait_for_selector(f"{line}:not(.unread)")
    page.click(".bar .chip:nth-of-type(2)")
    page.wait_for_selector(f"{line}", state="detached")
    page.click(".bar .chip:nth-of-type(1)")
    page.click(f"{line} .actions button")
    page.wait_for_selector(f"{line}.unread")
    page.click(".bar button.quiet")
    page.wait_for_selector(".top .count", state="detached")


def test_a_dead_letter_is_seen_and_sent_again(page: Any, server: Server) -> None:
    """With its log; by task, by state."""
    id_ = submitted(server, deliver=[INSIDE])
    sign_in(page, server.token)
    page.wait_for_selector(".filters")
    shown(page, f"deliveries?task={id_}", ".rows tbody tr")
    page.wait_for_selector(".rows .badge.dead")
    page.click(".rows summary")
    page.wait_for_selector(".rows .timeline li:nth-child(1)")
    page.click(".rows .actions button")
    page.wait_for_selector(".rows .timeline li:nth-child(2)", state="attached")
    page.click(".chips .chip:nth-child(6)")
    page.wait_for_selector(".empty")


def test_an_endpoint_from_its_making_to_its_end(page: Any, server: Server) -> None:
    """Its secret is shown once; test, rotation, off and on, and it is gone."""
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, server.token)
    page.wait_for_selector(".filters")
    shown(page, "endpoints", "form.sheet")
    page.fill("input[name=url]", HOOK)
    page.click("form .main")
    page.wait_for_selector(".secret code")
    first = page.inner_text(".secret code")
    assert first.startswith("whsec_")
    page.click(".secret button:last-child")
    assert first not in page.content()
    row = f".rows tr:has-text('{HOOK}')"
    page.click(f"{row} .actions button:nth-of-type(1)")
    page.wait_for_selector(f"{row} [role=status]")
    page.click(f"{row} .actions button:nth-of-type(2)")
    page.wait_for_selector(".secret code")
    assert page.inner_text(".secret code") != first
    page.click(f"{row} .actions button:nth-of-type(3)")
    page.wait_for_selector(f"{row} .badge.dead")
    page.click(f"{row} .actions button:nth-of-type(3)")
    page.wait_for_selector(f"{row} .badge.delivered")
    assert fits(page)
    page.click(f"{row} .actions button.danger")
    page.wait_for_selector(row, state="detached")


def test_a_key_from_its_making_to_its_end(page: Any, server: Server) -> None:
    """Its text is shown once and opens; rotated it has another, revoked it opens nothing."""
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, server.token)
    page.wait_for_selector(".filters")
    shown(page, "keys", "form.sheet")
    name = f"key {page.evaluate('crypto.randomUUID()')}"
    page.fill("input[name=name]", name)
    page.fill("input[name=owner]", "ann")
    page.click("form .main")
    page.wait_for_selector(".secret code")
    first = page.inner_text(".secret code")
    page.click(f".rows tr:has-text('{name}') .actions button:nth-of-type(1)")
    page.wait_for_selector(f".secret code:not(:text-is('{first}'))")
    second = page.inner_text(".secret code")
    assert [opens(server, one) for one in (first, second)] == [200, 200]
    assert fits(page)
    page.click(f".rows tr:has-text('{name}') .actions button.danger")
    page.wait_for_selector(f".rows tr:has-text('{name}') .badge.dead")
    assert [opens(server, one) for one in (first, second)] == [401, 401]
    page.reload()
    page.wait_for_selector(f".rows tr:has-text('{name}')")
    assert second not in page.content()


def opens(server: Server, key: str) -> int:
    return httpx2.get(f"{server.url}api/tasks", headers={"Authorization": f"Bearer {key}"}).status_code


def test_who_is_no_administrator_has_no_page_of_keys(page: Any, server: Server) -> None:
    """The menu does not lead there, and all other pages work."""
    with asked(server) as client:
        key = client.post("/api/keys", json={"name": "walk", "owner": "ann"}).json()["key"]
    sign_in(page, key)
    page.wait_for_selector(".filters")
    assert page.locator(".top nav a[href='#/endpoints']").count() == 1
    assert page.locator(".top nav a[href='#/keys']").count() == 0
    for place in ("inbox", "deliveries", "endpoints"):
        shown(page, place, ".empty")


def test_two_tabs_share_one_stream(browser: Any, server: Server) -> None:
    """Both hear of a task; there is one connection, and when its tab is closed the other takes over."""
    streams: list[str] = []
    with context(browser, server, WALKS[0]) as one:
        one.on("request", lambda asked: streams.append(asked.url) if "/api/events" in asked.url else None)
        first = one.new_page()
        sign_in(first, server.token)
        first.wait_for_selector(".mode.live")
        second = one.new_page()
        second.goto("/")
        second.wait_for_selector(".filters")
        row = f"tr:has(a[href='#/tasks/{submitted(server)}']) .badge.completed"
        for tab in (first, second):
            tab.wait_for_selector(row)
        assert len(streams) == 1
        first.close()
        second.wait_for_selector(".mode.live")
        second.wait_for_selector(f"tr:has(a[href='#/tasks/{submitted(server)}']) .badge.completed")
        assert len(streams) == 2
