"""A page of another origin in a real browser: /client.js with a token, an EventSource with a read token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from support.browsing import WALKS, Server, context, needed
from support.serving import serving

FOLLOWED = """async ([url, token]) => {
  const { Duly } = await import(`${url}client.js`);
  const duly = new Duly({ url, token });
  const task = await duly.submit("story", { words: 2 });
  return new Promise((done, onerror) => duly.follow(task.id, { onend: (end) => done(end.status), onerror }));
}"""
WATCHED = """async ([url, token]) => {
  const { Duly } = await import(`${url}client.js`);
  const duly = new Duly({ url, token });
  const task = await duly.submit("story", { words: 2 });
  const reader = await duly.ask(`/api/tasks/${task.id}/token`, { method: "POST" });
  const source = new EventSource(`${url}api/tasks/${task.id}/events?access_token=${reader.token}`);
  return new Promise((done, failed) => {
    source.addEventListener("completed", () => (source.close(), done("completed")));
    source.onerror = () => failed(new Error("cut"));
  });
}"""
REFUSED = """([url, token]) => fetch(`${url}api/tasks`, { headers: { Authorization: `Bearer ${token}` } })
  .then((answer) => answer.status, (error) => error.name)"""


class Blank(BaseHTTPRequestHandler):
    """A page with nothing on it."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextmanager
def origin() -> Iterator[str]:
    """An origin of its own, while it is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def listed() -> Iterator[str]:
    """The origin that the server lists."""
    with origin() as one:
        yield one


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, listed: str) -> Iterator[Server]:
    """One that lists an origin."""
    needed()
    folder = tmp_path_factory.mktemp("crossing")
    with serving(folder, "stories:duly", Path(__file__).parent, DULY_ORIGINS=listed) as (url, token):
        yield Server(f"{url}/", token)


@pytest.fixture
def tab(browser: Any, server: Server) -> Iterator[Any]:
    """A page of nowhere yet."""
    with context(browser, server, WALKS[0], forgiven=("CORS", "ERR_FAILED", "404")) as one:
        yield one.new_page()


@pytest.mark.parametrize("what", [FOLLOWED, WATCHED], ids=["by fetch", "by event source"])
def test_a_listed_page_follows_its_task(tab: Any, server: Server, listed: str, what: str) -> None:
    """From the submit to the end."""
    tab.goto(listed)
    assert tab.evaluate(what, [server.url, server.token]) == "completed"


def test_any_other_page_reads_nothing(tab: Any, server: Server) -> None:
    """The browser says no, for the server has not said yes."""
    with origin() as other:
        tab.goto(other)
        assert tab.evaluate(REFUSED, [server.url, server.token]) == "TypeError"
