"""`new Duly()` of /client.js in a page with a session, before a real server: its proof, its EventSource."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.browsing import WALKS, Server, context, sign_in

#: The page's own client, and how it follows a task to its end: what it saw, and the ended task.
READY = """async () => {
  const { Duly } = await import("/client.js");
  window.duly = new Duly();
  window.ended = (id) => new Promise((done, onerror) => {
    const seen = [], partial = [];
    duly.follow(id, {
      onevent: (line) => seen.push(line.seq),
      onpartial: (text) => partial.push(text),
      onend: (task) => done({ seen, partial, status: task.status }),
      onerror,
    });
  });
}"""
TOLD = """async ([type, input]) => {
  const task = await duly.submit(type, input);
  return { id: task.id, ...(await ended(task.id)) };
}"""
CANCELLED = """async (words) => {
  const task = await duly.submit("story", { words });
  const end = ended(task.id);
  await duly.cancel(task.id);
  return { id: task.id, ...(await end) };
}"""
#: What somebody does who signs out and in again in another tab.
AGAIN = """async (token) => {
  const body = JSON.stringify({ token });
  await fetch("/api/session", { method: "POST", headers: { "Content-Type": "application/json" }, body });
}"""
RETRIED = """async (id) => {
  await duly.ask(`/api/tasks/${id}/retry`, { method: "POST" });
  return ended(id);
}"""


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    """A page of ours, signed in, with a client of its own; `page.asked` has what it asked for, and how."""
    with context(browser, server, WALKS[0]) as one:
        page = one.new_page()
        sign_in(page, server.token)
        page.wait_for_selector(".filters")
        page.asked = []
        page.on("request", lambda request: page.asked.append((request.resource_type, request.url)))
        page.evaluate(READY)
        yield page


def _asked(page: Any, kind: str, end: str) -> int:
    return sum(one == kind and url.endswith(end) for one, url in page.asked)


def test_a_task_is_handed_in_and_followed_by_event_source(page: Any) -> None:
    """Each line once, the output, the end; the session is asked for once, no line is polled for."""
    told = page.evaluate(TOLD, ["story", {"words": 3}])
    assert told["status"] == "completed"
    assert told["seen"] == list(range(1, len(told["seen"]) + 1))
    assert "".join(told["partial"]).startswith("word 0 故事 ")
    assert _asked(page, "eventsource", f"/api/tasks/{told['id']}/events") == 1
    assert page.evaluate(CANCELLED, 10_000)["status"] == "cancelled"
    assert _asked(page, "fetch", "/api/session") == 1


def test_who_has_signed_in_anew_goes_on(page: Any, server: Server) -> None:
    """The proof of the session before is refused once, and the call is made with the new one."""
    page.evaluate(TOLD, ["story", {"words": 1}])
    page.evaluate(AGAIN, server.token)
    with page.expect_event("console"):  # the refusal, as the browser says it
        assert page.evaluate(TOLD, ["story", {"words": 1}])["status"] == "completed"
    assert _asked(page, "fetch", "/api/session") == 3


def test_an_end_before_a_retry_is_not_the_end(page: Any) -> None:
    """A task that was cancelled and runs again is followed to the end that stands."""
    told = page.evaluate(RETRIED, page.evaluate(CANCELLED, 5)["id"])
    assert told["status"] == "completed"
    assert told["seen"] == list(range(1, len(told["seen"]) + 1))
