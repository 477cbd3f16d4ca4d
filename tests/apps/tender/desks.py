"""The tender desk behind its API, and what its users do there."""

from __future__ import annotations

import io
from typing import Any

import httpx2
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from duly.http import create_api
from duly.http.identity import issue_jwt
from duly.http.permissions import RULES
from duly.testing import Harness

TEXT = "项目名称：智慧校园建设项目\n预算金额：人民币380万元\n"

Json = dict[str, Any]


class Desk:
    """The tender desk behind its API, with a worker on demand."""

    def __init__(self, inside: Harness) -> None:
        self.inside = inside
        self._api = create_api(inside.app)

    def user(self, name: str, language: str = "en") -> httpx2.AsyncClient:
        """One user with his token; crashes come back as the answers that they are."""
        token = issue_jwt(self.inside.app.credentials, name, now_ms=self.inside.clock.now_ms())
        transport = httpx2.ASGITransport(app=self._api, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}
        return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers)

    def administrator(self) -> httpx2.AsyncClient:
        """The administrator."""
        transport = httpx2.ASGITransport(app=self._api, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {self.inside.app.credentials.token}"}
        return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000", headers=headers)

    def routes(self) -> set[str]:
        """What is routed, as `GET /api/tasks`; of WebSockets what the permissions know."""
        paths = self._api.openapi()["paths"]
        asked = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
        return asked | {name for name in RULES if name.startswith("WS ")}


async def text(client: httpx2.AsyncClient, **form: Any) -> httpx2.Response:
    """A tender as text."""
    return await client.post("/api/tasks/bidding/text", data={"text": TEXT, **form})


async def upload(client: httpx2.AsyncClient, name: str, data: bytes, **form: Any) -> httpx2.Response:
    """A tender as a file."""
    return await client.post("/api/tasks/bidding/file", files={"file": (name, data)}, data=form)


async def look(client: httpx2.AsyncClient, id_: str) -> Json:
    """The task as the API shows it."""
    answer = await client.get(f"/api/tasks/{id_}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def accepted(answer: httpx2.Response) -> Json:
    """The task of a 202."""
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def refused(answer: httpx2.Response, status: int, code: str) -> Json:
    """The problem of a refusal: a title, a detail and a code, and nothing of our insides."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    problem = dict(answer.json())
    assert problem["code"] == code, problem
    assert all(problem[name] for name in ("title", "detail", "instance"))
    return problem


def scan() -> bytes:
    """A PDF whose only page is a picture."""
    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    picture = Image.frombytes("L", (40, 60), bytes(n * 89 % 251 for n in range(2400)))
    canvas.drawImage(ImageReader(picture), 50, 50, 400, 600)
    canvas.showPage()
    canvas.save()
    return out.getvalue()
