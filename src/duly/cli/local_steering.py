"""What an operator steers at the database itself: queues, weights, limits, gates; a part of `local`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from duly.cli.desk import Choice, Json
from duly.cli.shell import Refusal
from duly.cli.trail import traced
from duly.model.bulk import BULK
from duly.model.render import task_wire
from duly.model.state import Status
from duly.observe.gates import gate_wire
from duly.observe.limits import limit_wire
from duly.observe.queues import queue_wire
from duly.observe.shares import share_wire
from duly.runtime.app import App
from duly.store import lists
from duly.submit.admit import Options, moment


class LocalQueues:
    """Steers queues in the store."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._operator = app.operator
        self._client = app.client

    async def page(self) -> list[Json]:
        """All queues by name."""
        return [queue_wire(one) for one in await self._operator.queues()]

    async def get(self, name: str) -> Json:
        """One of them."""
        return queue_wire(await self._operator.queue(name))

    @traced("queue.pause")
    async def pause(self, name: str, words: Json) -> Json:
        """Pauses a queue; workers of other processes heed it from the commit on."""
        return queue_wire(await self._operator.pause(name, **words))

    @traced("queue.resume")
    async def resume(self, name: str) -> Json:
        """Opens a queue."""
        return queue_wire(await self._operator.resume(name))

    @traced("queue.purge")
    async def purge(self, name: str, statuses: Sequence[str], limit: int) -> Json:
        """Cancels what waits in it."""
        tally = await self._operator.purge(name, tuple(map(_status, statuses)), limit=limit)
        return {"cancelled": tally.count, "more": tally.more}

    @traced("tasks.retry", places=0)
    async def retry(self, chosen: Choice, limit: int) -> Json:
        """Another run for the chosen ones."""
        tally = await self._operator.retry(_all_of(chosen), limit=limit)
        return {"retried": tally.count, "more": tally.more}

    @traced("tasks.move", places=0)
    async def move(self, chosen: Choice, to: Json, limit: int) -> Json:
        """Puts the chosen ones elsewhere."""
        place = {"to": to.get("queue"), "priority": to.get("priority")}
        tally = await self._operator.move(_all_of(chosen), **place, limit=limit)
        return {"moved": tally.count, "more": tally.more}

    @traced("bulk.begin", made="id")
    async def begin(self, action: str, chosen: Choice, to: Json, options: Mapping[str, Any]) -> Json:
        """Begins a job; whichever worker serves its queue does it."""
        place = {"to": to.get("queue"), "priority": to.get("priority")}
        job = self._operator.job(action, _all_of(chosen), **place)
        return task_wire(await self._client.submit(BULK, job, Options(**options)))


class LocalShares:
    """Weights in the store."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._operator = app.operator

    async def page(self) -> list[Json]:
        """All that were given."""
        return [share_wire(one) for one in await self._operator.shares()]

    @traced("share.put")
    async def put(self, owner: str, weight: int, tenant: str) -> Json:
        """Gives one."""
        return share_wire(await self._operator.weigh(owner, weight, tenant=tenant))

    @traced("share.clear")
    async def clear(self, owner: str, tenant: str) -> bool:
        """Takes one away."""
        return await self._operator.unweigh(owner, tenant=tenant)


class LocalLimits:
    """Sets limits in the store."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._book = app.limits

    async def page(self) -> list[Json]:
        """All limits by name."""
        found: list[Json] = []
        while rows := await self._book.page(after=found[-1]["name"] if found else ""):
            found += [limit_wire(one) for one in rows]
        return found

    async def get(self, name: str) -> Json:
        """One of them."""
        return limit_wire(await self._book.get(name))

    @traced("limit.put")
    async def put(self, name: str, words: Json) -> Json:
        """Sets what the words say; workers of other processes heed it from the commit on."""
        return limit_wire(await self._book.put(name, **words))

    @traced("limit.clear")
    async def clear(self, name: str) -> Json:
        """Ends the operator's word."""
        return limit_wire(await self._book.clear(name))


class LocalGates:
    """Closes and opens gates in the store."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._book = app.gates

    async def page(self) -> list[Json]:
        """All gates by name."""
        return [gate_wire(one) for one in await self._book.page()]

    async def get(self, name: str) -> Json:
        """One of them."""
        return gate_wire(await self._book.get(name))

    @traced("gate.close")
    async def close(self, name: str, words: Json) -> Json:
        """Closes it by hand."""
        return gate_wire(await self._book.close(name, **words))

    @traced("gate.open")
    async def open(self, name: str) -> Json:
        """Opens it, and tasks that wait for a gate look again."""
        return gate_wire(await self._book.open(name))


def filter_of(wanted: Mapping[str, str]) -> lists.Filter:
    """The tasks that a command's words mean."""
    words: dict[str, Any] = dict(wanted)
    if "status" in words:
        words["status"] = _status(words["status"])
    if "since" in words:
        words["ended_since"] = moment(words.pop("since"), 0, "since")
    return lists.Filter(**words)


def _all_of(choice: Choice) -> lists.Filter:
    return replace(filter_of(choice.where), ids=tuple(choice.ids))


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        raise Refusal(f"there is no status {text!r}; there are: {', '.join(Status)}") from None
