"""The desk behind the API of a running server: the same questions over HTTP, refusals as one line."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx2

from duly.cli.accounts import HttpAccounts
from duly.cli.desk import Choice, Json, Key
from duly.cli.limit_remote import HttpGates, HttpLimits
from duly.cli.options import Place
from duly.cli.outlets import HttpOutlets
from duly.cli.shell import Refusal
from duly.client import sse
from duly.config import SettingsError, load

TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
#: A stream is silent for at most the server's ping; this is several of them.
SILENCE = httpx2.Timeout(5.0, read=60.0)
RECONNECTS = 5
PAGE = 1000


@asynccontextmanager
async def connected(url: str, place: Place, language: str) -> AsyncIterator[HttpDesk]:
    """A desk at the server's address, with the token from DULY_TOKEN or the token file."""
    if not url.startswith(("http://", "https://")):
        raise Refusal(f"{url!r} is not the URL of a server: it begins with http:// or https://")
    headers = {"Accept-Language": language}
    if token := token_for(place):
        headers["Authorization"] = f"Bearer {token}"
    try:
        client = httpx2.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT, trust_env=False)
    except (httpx2.InvalidURL, ValueError) as error:
        raise Refusal(f"{url} is not an address: {error}") from None
    async with client:
        yield HttpDesk(client, url)


def token_for(place: Place) -> str:
    """DULY_TOKEN; else what the token file holds, if this user may read it; else nothing."""
    if token := os.environ.get("DULY_TOKEN"):
        return token
    from duly.runtime import credentials

    try:
        return credentials.read(load(place.flags())).token
    except (SettingsError, OSError):
        return ""


class HttpDesk:
    """Answers what the server answers."""

    def __init__(
        self, client: httpx2.AsyncClient, url: str, *, broke: Callable[[], None] = lambda: None
    ) -> None:
        self._client = client
        self._url = url
        self._broke = broke

    async def submit(self, task_type: str, input_: Json, options: Mapping[str, Any]) -> Json:
        """The accepted task, on the server's stable storage."""
        return await self._ask("POST", "/api/tasks", {"task_type": task_type, "input": input_, **options})

    async def upload(self, file: Path) -> Json:
        """Keeps the file on the server; the answer is what the input takes."""
        with file.open("rb") as stream:
            return await self._ask("POST", "/api/uploads", files={"file": (file.name, stream)})

    async def get(self, id_: str) -> Json:
        """The task as it stands."""
        return await self._ask("GET", f"/api/tasks/{id_}")

    async def page(self, wanted: Mapping[str, str], limit: int) -> list[Json]:
        """Tasks, newest first, without results."""
        answer = await self._ask("GET", "/api/tasks", query={**wanted, "limit": str(limit)})
        return cast("list[Json]", answer["tasks"])

    async def stats(self, wanted: Mapping[str, str]) -> Json:
        """How many tasks stand in each status."""
        return await self._ask("GET", "/api/tasks/stats", query=wanted)

    async def monitoring(self, hours: float) -> Json:
        """What is watched."""
        return await self._ask("GET", "/api/monitoring", query={"hours": str(hours)})

    async def timeline(self, id_: str) -> list[Json]:
        """The task's events, all of them."""
        found: list[Json] = []
        while True:
            after = found[-1]["seq"] if found else 0
            query = {"after": str(after), "limit": str(PAGE)}
            page = (await self._ask("GET", f"/api/tasks/{id_}/events", query=query))["events"]
            found += page
            if len(page) < PAGE:
                return found

    async def deliveries(self, id_: str) -> list[Json]:
        """The task's deliveries, whatever became of them."""
        answer = await self._ask("GET", f"/api/tasks/{id_}/deliveries")
        return cast("list[Json]", answer["deliveries"])

    async def why(self, id_: str) -> Json:
        """Why the task stands where it stands."""
        return await self._ask("GET", f"/api/tasks/{id_}/why")

    async def cancel(self, id_: str) -> Json:
        """Cancels at once, or asks the running attempt to stop."""
        return await self._ask("POST", f"/api/tasks/{id_}/cancel")

    async def signal(self, id_: str, name: str, data: Any, key: str | None) -> Json:
        """Tells the task something."""
        body = {"data": data} if key is None else {"data": data, "id": key}
        return await self._ask("POST", f"/api/tasks/{id_}/signals/{quote(name, safe='')}", body)

    async def retry(self, id_: str) -> Json:
        """Gives a failed or cancelled task another run."""
        return await self._ask("POST", f"/api/tasks/{id_}/retry")

    @property
    def schedules(self) -> HttpSchedules:
        """What is asked of schedules."""
        return HttpSchedules(self._ask)

    @property
    def queues(self) -> HttpQueues:
        """What an operator does with queues."""
        return HttpQueues(self._ask)

    @property
    def shares(self) -> HttpShares:
        """What an operator does with weights."""
        return HttpShares(self._ask)

    @property
    def limits(self) -> HttpLimits:
        """What an operator does with limits."""
        return HttpLimits(self._ask)

    @property
    def gates(self) -> HttpGates:
        """What an operator does with gates."""
        return HttpGates(self._ask)

    @property
    def accounts(self) -> HttpAccounts:
        """Keys, and the audit log."""
        return HttpAccounts(self._ask)

    @property
    def outlets(self) -> HttpOutlets:
        """What is asked of endpoints, deliveries and inboxes."""
        return HttpOutlets(self._ask)

    async def follow(self, id_: str) -> AsyncIterator[Json]:
        """Events as they happen; a connection that breaks is taken up after the last event that arrived."""
        after, left = "", RECONNECTS
        while True:
            try:
                async for event in self._stream(id_, after):
                    after, left = event.id or after, RECONNECTS
                    yield _event(event)
                if (await self._request("GET", f"/api/tasks/{id_}"))["completed_at"]:
                    return
            except httpx2.TransportError as error:
                self._broke()
                if not left:
                    raise _unreachable(self._url, error) from None
            left -= 1

    async def _stream(self, id_: str, after: str) -> AsyncIterator[sse.ServerEvent]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": after}
        path = f"/api/tasks/{id_}/events"
        async with self._client.stream("GET", path, headers=headers, timeout=SILENCE) as response:
            if response.status_code >= 400:
                await response.aread()
                raise _refused(self._url, response)
            async for event in sse.events(sse.lines(response.aiter_text())):
                yield event

    async def _ask(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> Json:
        try:
            return await self._request(method, path, json=body, params=dict(query or {}), files=files)
        except httpx2.TransportError as error:
            raise _unreachable(self._url, error) from None

    async def _request(self, method: str, path: str, **sent: Any) -> Json:
        response = await self._client.request(method, path, **sent)
        if response.status_code >= 400:
            raise _refused(self._url, response)
        if response.status_code == httpx2.codes.NO_CONTENT:
            return {}
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Refusal(f"{self._url}{path} answers no JSON object: is it a Duly server?")
        return answer


def _unreachable(url: str, error: Exception) -> Refusal:
    return Refusal(
        f"{url} cannot be reached ({error or type(error).__name__}); is `duly serve` running there?"
    )


def _refused(url: str, response: httpx2.Response) -> Refusal:
    if response.status_code == httpx2.codes.UNAUTHORIZED:
        wanted = "refuses this token" if "authorization" in response.request.headers else "wants a token"
        return Refusal(f"{url} {wanted}: set DULY_TOKEN, or run this where the token file can be read")
    try:
        problem = response.json()
        said = str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        said = f"{url} answered {response.status_code} {response.reason_phrase}"
    return Refusal(said)


class HttpSchedules:
    """Answers about schedules what the server answers."""

    def __init__(self, ask: Callable[..., Awaitable[Json]]) -> None:
        self._ask = ask

    async def page(self) -> list[Json]:
        """The caller's schedules, by name."""
        return cast("list[Json]", (await self._ask("GET", "/api/schedules"))["schedules"])

    async def keep(
        self, name: str, task_type: str, input_: Json, options: Mapping[str, Any], *, replaces: bool
    ) -> Json:
        """Makes a schedule, or replaces what it says."""
        body = {"task_type": task_type, "input": input_, **options}
        if replaces:
            return await self._ask("PUT", f"/api/schedules/{quote(name, safe='')}", body)
        return await self._ask("POST", "/api/schedules", {"name": name, **body})

    async def get(self, key: Key) -> Json:
        """What it says, and how it stands."""
        return await self._of("GET", key)

    async def steer(self, key: Key, word: str) -> Json:
        """`pause` or `resume`."""
        return await self._of("POST", key, f"/{word}")

    async def run(self, key: Key) -> Json:
        """Submits its task now."""
        return await self._of("POST", key, "/run")

    async def remove(self, key: Key) -> None:
        """Forgets it."""
        await self._of("DELETE", key)

    async def coming(self, key: Key, count: int) -> list[str]:
        """Its next ticks."""
        return cast("list[str]", (await self._of("GET", key, "/next", count=str(count)))["next"])

    async def _of(self, method: str, key: Key, path: str = "", **query: str) -> Json:
        tenant, name = key
        query |= {"tenant": tenant} if tenant else {}
        return await self._ask(method, f"/api/schedules/{quote(name, safe='')}{path}", query=query)


class HttpQueues:
    """Answers about queues what the server answers."""

    def __init__(self, ask: Callable[..., Awaitable[Json]]) -> None:
        self._ask = ask

    async def page(self) -> list[Json]:
        """All queues by name."""
        return cast("list[Json]", (await self._ask("GET", "/api/queues"))["queues"])

    async def get(self, name: str) -> Json:
        """One of them."""
        return await self._ask("GET", _queue(name))

    async def pause(self, name: str, words: Json) -> Json:
        """Pauses a queue of the server's."""
        return await self._ask("POST", _queue(name, "/pause"), words)

    async def resume(self, name: str) -> Json:
        """Opens it again."""
        return await self._ask("POST", _queue(name, "/resume"))

    async def purge(self, name: str, statuses: Sequence[str], limit: int) -> Json:
        """Cancels what waits in it."""
        body = {"confirm": name, "statuses": list(statuses), "limit": limit}
        return await self._ask("POST", _queue(name, "/purge"), body)

    async def retry(self, chosen: Choice, limit: int) -> Json:
        """Another run for the chosen ones."""
        return await self._ask("POST", "/api/tasks/retry", _choice(chosen, limit))

    async def move(self, chosen: Choice, to: Json, limit: int) -> Json:
        """Puts the chosen ones elsewhere."""
        return await self._ask("POST", "/api/tasks/move", {**_choice(chosen, limit), **to})

    async def begin(self, action: str, chosen: Choice, to: Json, options: Mapping[str, Any]) -> Json:
        """Begins a job on the server."""
        words = {"action": action, "where": dict(chosen.where), "ids": list(chosen.ids), "to": to}
        return await self._ask("POST", "/api/bulk", {**words, **options})


class HttpShares:
    """Answers about weights what the server answers."""

    def __init__(self, ask: Callable[..., Awaitable[Json]]) -> None:
        self._ask = ask

    async def page(self) -> list[Json]:
        """All that were given."""
        return cast("list[Json]", (await self._ask("GET", "/api/shares"))["shares"])

    async def put(self, owner: str, weight: int, tenant: str) -> Json:
        """Gives one."""
        return await self._ask("PUT", "/api/shares", {"owner": owner, "weight": weight, "tenant": tenant})

    async def clear(self, owner: str, tenant: str) -> bool:
        """Takes one away."""
        said = await self._ask("DELETE", "/api/shares", query={"owner": owner, "tenant": tenant})
        return bool(said["cleared"])


def _queue(name: str, verb: str = "") -> str:
    return f"/api/queues/{quote(name, safe='')}{verb}"


def _choice(chosen: Choice, limit: int) -> Json:
    return {"where": dict(chosen.where), "ids": list(chosen.ids), "limit": limit}


def _event(event: sse.ServerEvent) -> Json:
    data = json.loads(event.text)
    if event.name != "partial":
        return cast("Json", data)
    return {"seq": None, "type": event.name, "at": None, "data": data}
