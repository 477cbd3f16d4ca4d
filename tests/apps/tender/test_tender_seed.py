"""Lines that people know from before, run as they stand against a real server: curl, WebSocket, grep, SQL."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect

from duly.config import load
from duly.http.identity import issue_jwt
from duly.runtime import credentials
from duly_apps.tender.samples import sample
from support.serving import serving

Json = dict[str, Any]

CREATE_TEXT = r'''curl -X POST "http://localhost:8000/api/tasks/bidding/text" \
  -H "Authorization: Bearer YOUR_JWT_TOKEN" \
  -F "text=这里是标书内容..." \
  -F "max_retries=3"'''
CREATE_FILE = r'''curl -X POST "http://localhost:8000/api/tasks/bidding/file" \
  -H "Authorization: Bearer YOUR_JWT_TOKEN" \
  -F "file=@tender.pdf" \
  -F "max_retries=3"'''
LOOK = r'''curl "http://localhost:8000/api/tasks/123" \
  -H "Authorization: Bearer YOUR_JWT_TOKEN"'''
LIST = r'''curl "http://localhost:8000/api/tasks?limit=20&offset=0" \
  -H "Authorization: Bearer YOUR_JWT_TOKEN"'''
STATS = r'''curl "http://localhost:8000/api/tasks/stats" \
  -H "Authorization: Bearer YOUR_JWT_TOKEN"'''
CANCEL = r'''curl -X DELETE "http://localhost:8000/api/tasks/123" \
  -H "Authorization: Bearer YOUR_JWT_TOKEN"'''
GREP = 'grep "task_id=123" worker.log'


@dataclass
class Place:
    """A folder with a server of its own, where lines are typed."""

    folder: Path
    url: str
    token: str
    administrator: str

    def typed(self, line: str, id_: str = "") -> str:
        """What a line prints; the token and the task's number are the only things that are put in."""
        line = line.replace("YOUR_JWT_TOKEN", self.token).replace("123", id_)
        environment = {"CURL_HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def asked(self, line: str, id_: str = "") -> Json:
        """The same, read as JSON."""
        return dict(json.loads(self.typed(line, id_)))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """While this is open no worker begins a task."""
        headers = {"Authorization": f"Bearer {self.administrator}"}
        with httpx2.Client(base_url=self.url, headers=headers, trust_env=False) as client:
            assert client.post("/api/queues/default/pause").status_code == 200
            try:
                yield
            finally:
                assert client.post("/api/queues/default/resume").status_code == 200

    def ended(self, id_: str) -> Json:
        """The task once it has ended: asked with a wait, for no test sleeps."""
        return self.asked(LOOK.replace("/123", "/123?wait=30"), id_)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server whose log is worker.log; curl finds it although it has another port than 8000."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    folder = tmp_path_factory.mktemp("seed")
    (folder / "tender.pdf").write_bytes(sample("smart-campus-zh.pdf").read_bytes())
    settings = {"DULY_LOG_FILE": "worker.log", "LANG": "C.UTF-8"}
    with serving(folder, "duly_apps.tender:duly", folder, **settings) as (url, token):
        port = url.rpartition(":")[2]
        rules = ["silent", "show-error", 'noproxy = "*"', f'connect-to = "localhost:8000:127.0.0.1:{port}"']
        (folder / ".curlrc").write_text("\n".join(rules) + "\n")
        known = credentials.read(load({"database_url": f"sqlite:///{folder / 'duly.db'}"}, environ={}))
        yield Place(folder, url, issue_jwt(known, "alice"), token)


def test_a_text_is_created(place: Place) -> None:
    """001-19: the fields of the answer, and their values."""
    task = place.asked(CREATE_TEXT)
    told = [task[name] for name in ("task_type", "status", "retry_count", "max_retries", "metadata")]
    assert told[:1] + told[2:] == ["bidding_analysis", 0, 3, {"source": "text"}]
    assert task["status"] == "pending"
    assert re.fullmatch(r"[0-9a-f-]{36}", task["id"])


def test_a_file_is_created_and_looked_at(place: Place) -> None:
    """001-20, 001-22: at the end a summary, tabs, and how long it took."""
    id_ = place.asked(CREATE_FILE)["id"]
    assert place.ended(id_)["status"] == "completed"
    task = place.asked(LOOK, id_)
    assert task["result"]["tabs"][0]["key"] == "project"
    assert task["metadata"]["duration_ms"] > 0
    assert task["completed_at"] > task["started_at"]


def test_tasks_are_listed_and_counted(place: Place) -> None:
    """001-25, 001-26: one's own tasks; six states and ours, zeros too."""
    id_ = place.asked(CREATE_TEXT)["id"]
    assert place.asked(LIST)["tasks"][0]["id"] == id_
    place.ended(id_)
    stats = place.asked(STATS)["stats"]
    assert {"pending", "running", "completed", "failed", "retry", "cancelled"} <= stats.keys()
    assert stats["completed"] >= 1


def test_a_task_is_cancelled(place: Place) -> None:
    """001-27: one that waits is cancelled at once, one that has ended stays as it is."""
    id_ = place.asked(CREATE_TEXT)["id"]
    before = place.ended(id_)
    assert place.asked(CANCEL, id_)["status"] == before["status"]


def test_a_task_that_waits_is_cancelled(place: Place) -> None:
    """001-27: the same line at a task that no worker has begun; and none begins it afterwards."""
    with place.paused():
        id_ = place.asked(CREATE_TEXT)["id"]
        assert place.asked(LOOK, id_)["status"] == "pending"
        task = place.asked(CANCEL, id_)
        assert (task["status"], task["started_at"], task["error"]) == ("cancelled", None, None)
    after = place.asked(CREATE_TEXT)["id"]
    assert place.ended(after)["status"] == "completed"
    assert place.asked(LOOK, id_) == task


def test_the_log_names_the_task(place: Place) -> None:
    """001-30: its lines are found by its number, the one that says it has failed among them."""
    (place.folder / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
    id_ = place.asked(CREATE_FILE.replace("tender.pdf", "broken.pdf"))["id"]
    assert place.ended(id_)["error_code"] == "corrupt_document"
    assert "corrupt_document" in place.typed(GREP, id_)


def test_progress_comes_by_websocket(place: Place) -> None:
    """001-39: each section is told as it is done; then the end."""
    address = place.url.replace("http://", "ws://") + "/ws/tasks"
    with connect(
        address, additional_headers={"Authorization": f"Bearer {place.token}"}, proxy=None
    ) as socket:
        id_ = place.asked(CREATE_FILE)["id"]
        socket.send(json.dumps({"op": "subscribe", "task_ids": [id_]}))
        told: list[Json] = []
        while not told or told[-1].get("type") != "completed":
            told.append(json.loads(socket.recv(timeout=30)))
    messages = [one["data"].get("message") for one in told if one.get("type") == "progress"]
    assert "预算与保证金: 4" in messages
    assert all(one["task_id"] == id_ for one in told if "seq" in one)


def test_sql_reads_the_view(place: Place) -> None:
    """001-04: from beside the running server, and nobody writes through it."""
    id_ = place.ended(place.asked(CREATE_TEXT)["id"])["id"]
    with sqlite3.connect(place.folder / "duly.db") as connection:
        row = connection.execute(
            "SELECT status, user_id, metadata FROM tasks WHERE id = ?", (id_,)
        ).fetchone()
        assert row == ("completed", "alice", '{"source":"text"}')
        with pytest.raises(sqlite3.OperationalError, match="it is a view"):
            connection.execute("UPDATE tasks SET status = 'failed'")


def test_a_page_in_the_old_manner(place: Place) -> None:
    """001-36: the old address answers with the analysis itself, and says what to use instead."""
    line = 'curl -i -F "file=@tender.pdf" -H "Authorization: Bearer YOUR_JWT_TOKEN" '
    head, _, body = (
        place.typed(line + "http://localhost:8000/api/bidding/analyze/file")
        .replace("\r", "")
        .rpartition("\n\n")
    )
    assert "200 OK" in head
    assert 'link: </api/tasks/bidding/file>; rel="successor-version"' in head.lower()
    assert len(json.loads(body)["tabs"]) == 7
