"""Hostile files sent to one desk: each ends its own task under its code, and the worker goes on."""

from pathlib import Path

import httpx2
import pytest

from duly.http import create_api
from duly.http.identity import issue_jwt
from duly.testing import harness
from duly_apps.tender import duly
from support.hostile import FILES, page

SOME = ("docx with macros", "one harmless entity", "lists in lists", "a picture of 3.6 billion points")


@pytest.mark.timeout(500)
@pytest.mark.parametrize(
    "names", [pytest.param(SOME, id="some"), pytest.param(tuple(FILES), id="all", marks=pytest.mark.slow)]
)
async def test_the_worker_lives(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Every file ends as expected without a retry, and the good one sent last is analysed."""
    async with harness(duly, tmp_path) as inside:
        token = issue_jwt(inside.app.credentials, "alice", now_ms=inside.clock.now_ms())
        transport = httpx2.ASGITransport(app=create_api(inside.app))
        client = httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")
        client.headers["Authorization"] = f"Bearer {token}"
        sent: dict[str, str] = {}
        for name in (*names, "good"):
            filename, data = ("a.pdf", page()) if name == "good" else (FILES[name][0], FILES[name][1]())
            answer = await client.post("/api/tasks/bidding/file", files={"file": (filename, data)})
            if data or answer.status_code == 202:  # an upload of nothing may be refused at the door
                sent[name] = answer.json()["id"]
                await inside.run_until_idle()
        for name, id_ in sent.items():
            task = (await client.get(f"/api/tasks/{id_}")).json()
            expected = ("read",) if name == "good" else FILES[name][2]
            assert (task["error_code"] or "read") in expected, (name, task["error"])
            assert task["attempt"] == 1
