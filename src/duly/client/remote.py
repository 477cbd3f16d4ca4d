"""`AsyncDuly`: submit, look, wait, follow and steer tasks of a server."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, cast
from urllib.parse import quote

import httpx2

from duly.client import sse
from duly.client.calls import LATER, RETRIES, SILENCE_SECONDS, Calls, Json, Sleep
from duly.client.errors import Problem, problem

#: How long one request waits for a task's end, in seconds; the server may cap it.
WAIT_SECONDS = 30.0
POLL_SECONDS = 1.0
#: After so many streams in a row that brought nothing, a task is polled.
FRUITLESS = 3
PAGE = 1000
_MEDIA_TYPE = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of a task (`seq` from 1 without a gap), `partial` output, or `reset` and `end` of many tasks.

    `id` is from where `stream(…, after=id)` goes on.
    """

    type: str
    data: Json
    id: str = ""
    task_id: str = ""
    seq: int | None = None


class _NoStreamError(Exception):
    """Something between us and the server does not stream."""


class _Over(Exception):
    """The server has no more to tell."""


class AsyncDuly:
    """A client of the server at `url`; `async with AsyncDuly(url, token) as duly`.

    Every request is sent again when the server says *later* (after its Retry-After), and when no answer came
    if that is safe. A submit carries an Idempotency-Key, so that sent twice it makes one task.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        retries: int = RETRIES,
        sleep: Sleep = asyncio.sleep,
        transport: Any = None,
    ) -> None:
        self._calls = Calls(url, token, retries=retries, sleep=sleep, transport=transport)
        self._sleep = sleep

    async def __aenter__(self) -> AsyncDuly:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._calls.http.aclose()

    async def submit(
        self,
        /,
        task_type: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - the word of the API
        *,
        wait: int = 0,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Json:
        """The accepted task, or the ended one if it ends within `wait` seconds.

        Raises:
            Problem: refused.
            Unreachable: no answer; the task may be accepted. The same key again tells.
        """
        body = {"task_type": task_type, "input": dict(input or {}), **options}
        return await self._accept("/api/tasks", body, wait, idempotency_key)

    async def batch(
        self,
        /,
        tasks: Sequence[Mapping[str, Any]],
        *,
        wait: int = 0,
        idempotency_key: str | None = None,
        **options: Any,
    ) -> Json:
        """Many tasks as one: {task_type, input, …} each."""
        body = {"tasks": [dict(one) for one in tasks], **options}
        return await self._accept("/api/batches", body, wait, idempotency_key)

    async def _accept(self, path: str, body: Json, wait: int, key: str | None) -> Json:
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        headers |= {"Prefer": f"wait={wait}"} if wait else {}
        return await self._calls.ask("POST", path, json=body, headers=headers)

    async def get(self, id_: str) -> Json:
        """The task as it stands."""
        return await self._calls.ask("GET", _task(id_))

    async def wait(self, id_: str, timeout: float | None = None) -> Json:
        """The task once it has ended, or as it stands after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        until = None if timeout is None else loop.time() + timeout
        while True:
            left = WAIT_SECONDS if until is None else max(0.0, min(WAIT_SECONDS, until - loop.time()))
            task = await self._calls.ask("GET", _task(id_), params={"wait": f"{left:.3f}"})
            if task["completed_at"] or (until is not None and loop.time() >= until):
                return task
            await self._sleep(0)

    async def cancel(self, id_: str) -> Json:
        """Cancels at once, or asks the running attempt to stop."""
        return await self._calls.ask("POST", _task(id_, "/cancel"))

    async def retry(self, id_: str) -> Json:
        """Another run for a failed or cancelled task."""
        return await self._calls.ask("POST", _task(id_, "/retry"), safe=False)

    async def upload(self, file: Path) -> Json:
        """Keeps a file on the server; the answer goes into a task's input. It is sent as it is read."""
        with await asyncio.to_thread(file.open, "rb") as content:
            return await self._calls.ask("POST", "/api/uploads", files={"file": (file.name, content)})

    async def notifications(self, after: int = 0, limit: int = 100) -> list[Json]:
        """The caller's inbox after number `after`, oldest first."""
        params = {"after": str(after), "limit": str(limit)}
        said = await self._calls.ask("GET", "/api/notifications", params=params)
        return cast("list[Json]", said["notifications"])

    async def stream(self, id_: str, after: str = "") -> AsyncGenerator[Event]:
        """A task's lines and its output as they come, to its end; taken up again after every disconnect.

        Where nothing can be streamed the lines are polled, without the output.
        """
        fruitless, last = 0, 0
        async with aclosing(self._streams(_task(id_, "/events"), after)) as events:
            async for event in events:
                fruitless = fruitless + 1 if event is None else 0
                if fruitless >= FRUITLESS:
                    break
                if event is not None:
                    last = event.seq or last
                    yield event
            else:
                return
        async for event in self._poll(id_, last):
            yield event

    async def follow(self, batch: str = "", after: str = "") -> AsyncGenerator[Event]:
        """The lines of all the caller's tasks, or of a batch to its end; see `reset` in docs/en/live.md.

        After a disconnect a line may come again: drop it by (task_id, seq).
        """
        path = f"/api/batches/{quote(batch, safe='')}/events" if batch else "/api/events"
        fruitless = 0
        async with aclosing(self._streams(path, after)) as events:
            async for event in events:
                fruitless = fruitless + 1 if event is None else 0
                if fruitless > self._calls.retries:
                    raise self._calls.unreachable(_NoStreamError("the stream breaks again and again"))
                if event is not None:
                    yield event

    async def _streams(self, path: str, place: str) -> AsyncGenerator[Event | None]:
        """Stream after stream, until the server says that there is no more; None for one that broke."""
        reading = _Reading(place)
        while not reading.over:
            async with aclosing(_whole(self._stream(path, reading.place), reading)) as events:
                async for event in events:
                    yield event
            if (error := reading.error) is None:
                continue
            refusal = error if isinstance(error, Problem) else None
            if refusal is not None and reading.broken >= self._calls.retries:
                raise refusal
            yield None
            await self._calls.pause(reading.broken, refusal)
            reading.broken += 1

    async def _stream(self, path: str, place: str) -> AsyncGenerator[Event]:
        headers = {"Accept": _MEDIA_TYPE, "Last-Event-ID": place}
        timeout = httpx2.Timeout(5.0, read=SILENCE_SECONDS)
        async with self._calls.http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if response.status_code == httpx2.codes.NO_CONTENT:
                raise _Over
            if response.status_code >= 400:
                await response.aread()
                raise problem(response)
            if not response.headers.get("content-type", "").startswith(_MEDIA_TYPE):
                raise _NoStreamError
            async for one in sse.events(sse.lines(response.aiter_text())):
                yield _event(one)

    async def _poll(self, id_: str, last: int) -> AsyncGenerator[Event]:
        while True:
            task = await self.get(id_)
            params = {"after": str(last), "limit": str(PAGE)}
            lines = (await self._calls.ask("GET", _task(id_, "/events"), params=params))["events"]
            for line in lines:
                last = line["seq"]
                yield Event(type=line["type"], data=line["data"], id=str(last), task_id=id_, seq=last)
            if task["completed_at"] and len(lines) < PAGE:
                return
            await self._sleep(POLL_SECONDS)


@dataclass(slots=True)
class _Reading:
    """How far streams were read, how many broke in a row and with what, whether there is no more."""

    place: str
    broken: int = 0
    error: Exception | None = None
    over: bool = False

    def note(self, event: Event) -> None:
        self.place, self.broken, self.over = event.id or self.place, 0, event.type == "end"


async def _whole(events: AsyncGenerator[Event], reading: _Reading) -> AsyncGenerator[Event]:
    """The events of one stream, taken note of; and of what it broke with."""
    reading.error = None
    try:
        async for event in events:
            reading.note(event)
            yield event
    except _Over:
        reading.over = True
    except (httpx2.TransportError, _NoStreamError) as error:
        reading.error = error
    except Problem as refusal:
        if refusal.status not in LATER:
            raise
        reading.error = refusal
    finally:
        await events.aclose()


def _task(id_: str, rest: str = "") -> str:
    return f"/api/tasks/{quote(id_, safe='')}{rest}"


def _event(one: sse.ServerEvent) -> Event:
    said = json.loads(one.text)
    if "seq" not in said:
        return Event(type=one.name, data=said, id=one.id)
    return Event(
        type=one.name, data=said["data"], id=one.id, task_id=said.get("task_id", ""), seq=said["seq"]
    )
