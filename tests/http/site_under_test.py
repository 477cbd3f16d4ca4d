"""What the tests of the API share: its app, clients for each caller, a worker by hand, a live stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import httpx2
import jwt

from duly import Duly
from duly.http import create_api
from duly.http.identity import issue_jwt
from duly.model.events import EventType
from duly.model.state import Status
from duly.runtime.app import App
from duly.store import claims, lists, sessions
from support.cluster import until
from support.patience import PATIENCE

SESSION = "session-by-hand"
#: What everybody hears whose credentials are not exactly right.
REFUSED = "Credentials are missing or wrong; pass `Authorization: Bearer` with the token file's token."
TYPES = ("duly.batch", "duly.bulk", "echo", "other", "picky")


def declared() -> Duly:
    """A few trivial task types, and the routes of an app."""
    duly = Duly("tests")

    @duly.task("echo")
    async def echo(ctx: Any, **anything: Any) -> Any:
        return anything

    @duly.task("other", queue="side")
    async def other(ctx: Any) -> None: ...

    @duly.task("picky", max_retries=1)
    async def picky(ctx: Any, name: str) -> str:
        return name

    duly.routes("app_routes:router")
    return duly


class Site:
    """One app and its API."""

    def __init__(self, app: App, **api: Any) -> None:
        self.app = app
        self.api = create_api(app, **api)
        self._session = False

    def client(
        self, headers: dict[str, str] | None = None, base: str = "http://127.0.0.1:8000"
    ) -> httpx2.AsyncClient:
        """A client that sends these headers; crashes come back as the answers that they are."""
        transport = httpx2.ASGITransport(app=self.api, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url=base, headers=headers)

    @property
    def admin(self) -> httpx2.AsyncClient:
        """The installation's administrator."""
        return self.client({"Authorization": f"Bearer {self.app.credentials.token}"})

    def user(self, name: str, tenant: str = "") -> httpx2.AsyncClient:
        """One user with his JWT."""
        return self.client(self.bearer(name, tenant))

    def bearer(self, name: str, tenant: str = "") -> dict[str, str]:
        """The header with a user's JWT."""
        return {"Authorization": f"Bearer {issue_jwt(self.app.credentials, name, tenant, 600)}"}

    async def submitted(self, client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
        """A task that this client has submitted, as acknowledged."""
        answer = await client.post("/api/tasks", json={"task_type": "echo", **body})
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def accepted(self) -> None:
        """Returns when a first task is there."""
        news, loop = asyncio.Event(), asyncio.get_running_loop()
        forget = self.app.database.subscribe(lambda _: loop.call_soon_threadsafe(news.set))
        while not any((await self.app.database.read(lists.stats, lists.Filter())).values()):
            await news.wait()
            news.clear()
        forget()

    async def polling(self, request: Coroutine[Any, Any, httpx2.Response]) -> asyncio.Task[httpx2.Response]:
        """The request under way, when it has looked once and waits to be told."""
        task = asyncio.create_task(request)
        await until(lambda: self.app.client._ends._waiting)
        return task

    async def claim(self) -> list[Any]:
        """What a worker would run now, taken."""
        database = self.app.database
        if not self._session:
            session = sessions.Session(id=SESSION, host="h", pid=1, queues=("default", "side"))
            await database.write(sessions.start, session)
            self._session = True
        lane = claims.Lane(types=TYPES, free=100)
        request = claims.ClaimRequest(session=SESSION, queues=("default", "side"), lanes=(lane,))
        return list(await database.write(claims.claim, request, last=True))

    async def finish(self, result: Any = None, *, target: Status = Status.COMPLETED) -> None:
        """Claims all that is due and ends it like this."""
        text = json.dumps(result) if target is Status.COMPLETED else None
        code = "handler_error" if target is Status.FAILED else None
        for one in await self.claim():
            finish = claims.Finish(
                id=one.id,
                attempt=one.attempt,
                target=target,
                event=EventType(target.value),
                outcome=target.value,
                result=text,
                error_code=code,
                error=code and "it broke",
            )
            assert await self.app.database.write(claims.finish, finish) == target


#: Starts an app on a fresh database, with these settings.
MakeSite = Callable[..., Awaitable[Site]]


class Stream:
    """One request whose answer is read while it is being written."""

    def __init__(self, api: Any, path: str, headers: dict[str, str], method: str = "GET") -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""
        self._news = asyncio.Event()
        self._gone = asyncio.Event()
        raw = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": method,
            "path": path.partition("?")[0],
            "query_string": path.partition("?")[2].encode(),
            "headers": [(b"host", b"127.0.0.1"), *raw],
        }
        self.task = asyncio.create_task(api(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {key.decode(): value.decode() for key, value in message["headers"]}
        self.text += message.get("body", b"").decode()
        self._news.set()

    async def until(self, text: str) -> str:
        """All that came, once `text` is in it."""
        async with asyncio.timeout(PATIENCE):
            while text not in self.text:
                self._news.clear()
                await self._news.wait()
        return self.text

    async def leave(self) -> None:
        """The client goes away."""
        self._gone.set()
        await self.ended()

    async def ended(self) -> str:
        """All that came, once the server has ended the answer."""
        async with asyncio.timeout(PATIENCE):
            await self.task
        return self.text


def signed(secret: str, claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
    """A JWT with these claims and a right signature."""
    return jwt.encode(claims, secret, algorithm="HS256", headers=headers)


def parsed(text: str) -> list[dict[str, str]]:
    """Server-sent events as an EventSource reads them (WHATWG HTML, 9.2.6), without comments and retry."""
    events: list[dict[str, str]] = []
    event: dict[str, list[str]] = {}
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        name, _, value = line.partition(":")
        if not line and "data" in event:
            events.append({key: "\n".join(values) for key, values in event.items()})
        if not line:
            event = {}
        elif name in ("data", "id", "event"):
            event.setdefault(name, []).append(value.removeprefix(" "))
    return events
