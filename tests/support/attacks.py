"""What `make security` sends: each function plays one corpus and answers what went wrong, line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx2

from duly.clock import SystemClock
from duly.deliver.addresses import Forbidden, checked
from duly.deliver.post import Poster
from duly.http.identity import issue_jwt
from duly.runtime.credentials import Credentials
from support import corpora

MARK = "zzinjectedzz"
MEGABYTE = 1_048_576
_REPEAT = re.compile(r"\*(\d+) (.)\*")


@dataclass(slots=True)
class Played:
    """How many cases were played, and which of them went wrong."""

    cases: int = 0
    wrong: list[str] = field(default_factory=list)

    def count(self, right: bool, what: str) -> None:
        """One case."""
        self.cases += 1
        if not right:
            self.wrong.append(what)


@dataclass(slots=True)
class Target:
    """A running server: a client of it without credentials, and its secrets."""

    client: httpx2.AsyncClient
    credentials: Credentials
    origin: str
    database_url: str

    @property
    def admin(self) -> dict[str, str]:
        """The administrator's header."""
        return {"Authorization": f"Bearer {self.credentials.token}"}

    async def submitted(self, **body: Any) -> str:
        """The id of a task."""
        answer = await self.client.post("/api/tasks", json={"task_type": "echo", **body}, headers=self.admin)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])


def repeated(text: str) -> str:
    """`*3 x*` is xxx."""
    return _REPEAT.sub(lambda found: found[2] * int(found[1]), text)


async def tokens(target: Target) -> Played:
    """Forged and foreign tokens: all 401."""
    played = Played()
    now = SystemClock().now_ms() // 1000
    for name, token in corpora.bad_tokens(target.credentials.jwt_secret, now).items():
        header = [(b"Authorization", f"Bearer {token[:60_000]}".strip().encode())]
        answer = await target.client.get("/api/tasks", headers=header)
        # What is longer than a header may be is refused before it is read.
        refused = answer.status_code == 401 or (len(token) > 60_000 and answer.status_code in (400, 431))
        played.count(refused, f"token {name}: {answer.status_code}")
    return played


async def forgeries(target: Target) -> Played:
    """What foreign pages make a signed-in browser send: all 403, and nothing is changed."""
    played = Played()
    client = target.client
    signed = await client.post("/api/session", json={"token": issue_jwt(target.credentials, "csrf")})
    page = {"X-CSRF-Token": signed.json()["csrf"], "Origin": target.origin}
    for one in corpora.load("csrf")["request"]:
        changed = {name: text.replace("{origin}", target.origin) for name, text in one["headers"].items()}
        headers = {"Content-Type": "application/json", **page, **changed}
        sent = {name: value for name, value in headers.items() if value}
        answer = await client.post("/api/tasks", content=b'{"task_type":"echo"}', headers=sent)
        played.count(answer.status_code == 403, f"forgery, {one['why']}: {answer.status_code}")
    left = (await client.get("/api/tasks")).json()["tasks"]
    played.count(left == [], f"forgeries: {len(left)} tasks were made")
    await client.delete("/api/session", headers=page)
    client.cookies.clear()
    return played


async def injections(target: Target) -> Played:
    """Texts that would be headers or events: none of them is."""
    played = Played()
    corpus = corpora.load("injection")
    for text in (one.replace("{x}", MARK) for one in corpus["texts"]):
        for path in corpus["paths"]:
            place = path.replace("{text}", quote(text, safe=""))
            answer = await target.client.get(place, headers=target.admin)
            clean = MARK not in " ".join([*answer.headers.keys(), *answer.headers.values()])
            played.count(clean and answer.status_code < 500, f"{path} {text!r}: {answer.status_code}")
        played.count(await _one_event_each(target, text), f"SSE: {text!r} is more than one event")
    return played


async def _one_event_each(target: Target, text: str) -> bool:
    """Whether a task that says the text has the same events in its stream as in its list."""
    body = {"task_type": "say", "input": {"text": text}}
    headers = {**target.admin, "Prefer": "wait=20"}
    task = (await target.client.post("/api/tasks", json=body, headers=headers)).json()
    if task.get("status") != "completed":
        return False
    place = f"/api/tasks/{task['id']}/events"
    listed = (await target.client.get(place, headers=target.admin)).json()["events"]
    accept = {**target.admin, "Accept": "text/event-stream"}
    streamed = (await target.client.get(place, headers=accept)).text
    data = [json.loads(one["data"]) for one in parsed(streamed)]
    said = any(one["data"].get("message") == text for one in listed)
    return said and data == listed


def parsed(text: str) -> Iterator[dict[str, str]]:
    """Server-sent events as an EventSource reads them (WHATWG HTML, 9.2.6)."""
    event: dict[str, list[str]] = {}
    for line in re.split(r"\r\n|\r|\n", text):
        name, _, value = line.partition(":")
        if not line:
            if "data" in event:
                yield {key: "\n".join(values) for key, values in event.items()}
            event = {}
        elif name in ("data", "id", "event"):
            event.setdefault(name, []).append(value.removeprefix(" "))


async def bad_inputs(target: Target) -> tuple[Played, int]:
    """What must be refused: how that went, and how often the server broke (500)."""
    played, broke = Played(), 0
    id_ = await target.submitted(due=86_400)
    for name, method, path, body in _inputs(corpora.load("bad_input")):
        place = path.replace("{task_id}", id_)
        known = {} if path == "/api/session" else target.admin  # a header would sign in whatever the body is
        headers = {**known, "Content-Type": "application/json"}
        status = await _status(target.client, method, place, content=body, headers=headers)
        played.count(400 <= status < 500, f"{name[:200]}: {status}")
        broke += status >= 500
    target.client.cookies.clear()
    return played, broke


async def _status(client: httpx2.AsyncClient, method: str, path: str, **given: Any) -> int:
    """The status; a body that is too large may be cut off while it is still being sent."""
    try:
        return int((await client.request(method, path, **given)).status_code)
    except (httpx2.ReadError, httpx2.WriteError):
        return 413 if len(given["content"] or b"") > MEGABYTE else 599


def _inputs(corpus: dict[str, Any]) -> Iterator[tuple[str, str, str, bytes | None]]:
    for operation in corpus["operations"]:
        method, _, path = operation.partition(" ")
        for value in corpus["values"]:
            body = f'{{"task_type":"echo","input":{{"x":{repeated(value)}}}}}'.encode()
            yield f"{operation} {value}", method, path, body
        for text in corpus["bodies"]:
            if text or path not in _BODYLESS:
                yield f"{operation} {text!r}", method, path, text.encode()
    for path in (*corpus["paths"], *corpus["queries"]):
        yield path, "GET", repeated(path), None


#: They work without a body.
_BODYLESS = frozenset({"/api/queues/x/pause", "/api/tasks/{task_id}/signals/x", "/api/tasks/{task_id}/token"})


def _answering(*answers: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """A resolver with one answer after another; the last one stays."""
    left = list(answers)

    async def resolve(_host: str, _port: int) -> list[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


async def inside() -> Played:
    """Targets inside: none is reached, however it is written, and whatever DNS says the second time."""
    played = Played()
    corpus = corpora.load("ssrf")
    for url in corpus["targets"]:
        played.count(await _refused(url, None), f"target {url!r} passed")
    for one in corpus["name"]:
        passed = f"a name of {one['why']} passed"
        played.count(await _refused("https://hooks.example/", one["addresses"]), passed)
    for one in corpus["rebinding"]:
        played.count(await _stays(one["first"], one["then"]), f"rebinding to {one['why']} passed")
    return played


async def _refused(url: str, addresses: list[str] | None) -> bool:
    try:
        await checked(url, resolve=None if addresses is None else _answering(addresses))
    except Forbidden:
        return True
    except OSError:
        return True  # a name that this host does not know is not called either
    return False


async def _stays(first: str, then: str) -> bool:
    """Whether a send connects to what was checked, and nowhere else, though DNS has changed its mind."""
    connected: list[str] = []

    async def exchange(request: httpx2.Request) -> Any:
        connected.append(request.url.host)
        raise httpx2.ConnectError("not from here")

    poster = Poster(resolve=_answering([first], [then]))
    poster._exchange = exchange  # type: ignore[method-assign]
    await poster.post("https://hooks.example/", b"{}", {})
    await poster.close()
    return connected == [first]
