"""The clients of a soak, over HTTP: they submit, look and cancel, and write down what they were told."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from duly.model.state import TERMINAL
from support.history import NEVER, Operation, Phase

#: Longer than the API is away when its process is killed.
PATIENCE = 5.0
#: How long a task counts among those that keep the workers busy.
YOUTH = 5.0
#: Clients that submit, and clients that look.
SUBMITTERS, OBSERVERS = 3, 3
#: How many tries a submission with a lost answer is worth.
TRIES = 20
KINDS = (
    *("soak.work", "soak.work", "soak.work", "soak.thread", "soak.flaky"),
    *("soak.sleep", "soak.signal", "soak.track", "soak.family", "soak.map"),
    *("soak.limited", "soak.limited", "soak.limited"),
)


@dataclass(slots=True)
class Crowd:
    """Keeps about `width` young tasks open: those that wait for the lease of a dead host do not count.

    All it saw is in `history`; `open` are the tasks not seen to have ended, each with when it was accepted.
    """

    url: str
    hook: str
    die: random.Random
    width: int
    headers: dict[str, str]
    history: list[Operation] = field(default_factory=list)
    open: dict[str, float] = field(default_factory=dict)
    #: Tasks whose answer is owed to the receiver.
    owed: set[str] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)
    #: Answers of 5xx: status, media type, whether they say when to come again.
    shed: Counter[tuple[int, str, bool]] = field(default_factory=Counter)
    patience: float = PATIENCE
    over: bool = False
    _count: int = 0

    async def run(self, until: Callable[[], bool]) -> None:
        """Clients at work until the time is up; returns when all have their last answer."""
        async with self.client() as http, asyncio.TaskGroup() as group:
            for number in range(SUBMITTERS):
                group.create_task(self._submit_on(http, f"submitter-{number}"))
            for number in range(OBSERVERS):
                group.create_task(self._observe(http, f"observer-{number}"))
            while not until():  # noqa: ASYNC110 - the end is a time
                await asyncio.sleep(0.1)
            self.over = True

    def client(self, patience: float | None = None) -> httpx2.AsyncClient:
        """One that may do everything."""
        wait = self.patience if patience is None else patience
        return httpx2.AsyncClient(base_url=self.url, headers=self.headers, timeout=wait, trust_env=False)

    async def _submit_on(self, http: httpx2.AsyncClient, proc: str) -> None:
        while not self.over:
            if self._young() < self.width:
                await self._one(http, proc)
            await asyncio.sleep(self.die.uniform(0, 0.2))

    def _young(self) -> int:
        """How many open tasks were accepted just now."""
        return sum(at > time.monotonic() - YOUTH for at in self.open.values())

    async def _one(self, http: httpx2.AsyncClient, proc: str) -> None:
        """One submission. Half of the clients whose answer is lost ask again with the same key."""
        self._count += 1
        body = self._body()
        key = f"key-{self._count}"
        stubborn = self.die.random() < 0.5
        for number in range(TRIES if stubborn else 1):
            id_ = await self.submit(http, f"{proc}/{self._count}.{number}", key, body)
            if id_ is not None:
                self.open[id_] = time.monotonic()
                if body["deliver"]:
                    self.owed.add(id_)
                if self.die.random() < 0.05:
                    await self._cancel(http, proc, id_)
                elif body["task_type"] == "soak.signal" and self.die.random() < 0.8:
                    await self._signal(http, proc, id_)
                return
            await asyncio.sleep(self.die.uniform(0.1, 1))

    def _body(self) -> dict[str, Any]:
        input_ = {"n": self.die.randint(1, 4), "pause": round(self.die.uniform(0.05, 0.3), 2)}
        deliver = [self.hook] if self.die.random() < 0.3 else []
        return {"task_type": self.die.choice(KINDS), "input": input_, "deliver": deliver}

    async def submit(self, http: httpx2.AsyncClient, proc: str, key: str, body: dict[str, Any]) -> str | None:
        begin = time.monotonic()
        phase, task = await self._ask(http, "POST", "/api/tasks", json=body, headers={"Idempotency-Key": key})
        id_ = task.get("id")
        self.note(proc, "submit", phase, begin, key=key, task=id_)
        if id_ is not None:
            self._saw(proc, begin, task)
        return id_

    async def _cancel(self, http: httpx2.AsyncClient, proc: str, id_: str) -> None:
        await asyncio.sleep(self.die.uniform(0, 0.7))
        begin = time.monotonic()
        phase, task = await self._ask(http, "POST", f"/api/tasks/{id_}/cancel")
        self.note(proc, "cancel", phase, begin, task=id_)
        if phase is Phase.OK:
            self._saw(proc, begin, task)

    async def _signal(self, http: httpx2.AsyncClient, proc: str, id_: str) -> None:
        """Early, in time or too late; a task that has ended refuses it."""
        await asyncio.sleep(self.die.uniform(0, 3))
        begin = time.monotonic()
        phase, task = await self._ask(http, "POST", f"/api/tasks/{id_}/signals/go", json={"data": proc})
        if phase is Phase.OK:
            self._saw(proc, begin, task)

    async def _observe(self, http: httpx2.AsyncClient, proc: str) -> None:
        while not self.over:
            if self.open:
                id_ = self.die.choice(sorted(self.open))
                begin = time.monotonic()
                phase, task = await self._ask(http, "GET", f"/api/tasks/{id_}")
                if phase is Phase.OK:
                    self._saw(proc, begin, task)
            await asyncio.sleep(self.die.uniform(0.05, 0.2))

    def _saw(self, proc: str, begin: float, task: dict[str, Any]) -> None:
        """A task as it stood at some moment since `begin`."""
        seen = {"task": task["id"], "attempt": task["attempt"], "status": task["status"]}
        self.note(proc, "read", Phase.OK, begin, **seen)
        if task["status"] in TERMINAL:
            self.open.pop(task["id"], None)

    def note(self, proc: str, f: str, phase: Phase, begin: float, **seen: Any) -> None:
        end = NEVER if phase is Phase.INFO else time.monotonic()
        self.history.append(Operation(proc=proc, f=f, phase=phase, begin=begin, end=end, **seen))

    async def _ask(
        self, http: httpx2.AsyncClient, method: str, path: str, **request: Any
    ) -> tuple[Phase, dict[str, Any]]:
        """An answer of 5xx says nothing: the commit may have been made before the database went away."""
        try:
            response = await http.request(method, path, **request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return Phase.FAIL, {}
        except httpx2.TransportError:
            return Phase.INFO, {}
        if response.status_code >= 500:
            said = response.headers
            self.shed[response.status_code, said.get("content-type", ""), "retry-after" in said] += 1
            return Phase.INFO, {}
        if response.status_code == 409 and "/signals/" in path:
            return Phase.FAIL, {}
        if response.is_error:
            self.refusals.append(f"{method} {path}: {response.status_code} {response.text[:200]}")
            return Phase.FAIL, {}
        return Phase.OK, response.json()
