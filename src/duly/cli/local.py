"""The desk at the database itself: the same parts as a server's, without a worker."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duly.cli.accounts import LocalAccounts
from duly.cli.desk import Choice, Json, Key
from duly.cli.footing import database_at
from duly.cli.options import Place
from duly.cli.outlets import LocalOutlets
from duly.cli.shell import Refusal
from duly.clock import iso
from duly.config import load
from duly.deliver import live
from duly.model.bulk import BULK
from duly.model.errors import InvalidInput, TooLarge
from duly.model.render import task_wire
from duly.model.schedule import Schedule, schedule_wire
from duly.model.state import Status
from duly.model.task import Task
from duly.observe.deliveries import delivery_wire
from duly.observe.figures import figures_wire
from duly.observe.gates import gate_wire
from duly.observe.limits import limit_wire
from duly.observe.queues import queue_wire
from duly.observe.shares import share_wire
from duly.observe.why import why
from duly.runtime.app import App
from duly.runtime.declare import Duly
from duly.runtime.load import load_declared
from duly.store import blobs, lists
from duly.store.figures import figures
from duly.submit.admit import Options, moment

if TYPE_CHECKING:
    from duly.model.events import Event

CHUNK = 262_144
PAGE = 1000


@asynccontextmanager
async def at_database(
    place: Place, language: str, *, create: bool, handlers: bool
) -> AsyncIterator[LocalDesk]:
    """Opens the database of the settings; a reading command does not make one that is not there."""
    settings = load(place.flags())
    database_at(settings, existing=not create)
    declared = load_declared(settings) if handlers else Duly("none")
    # The command's own answer is what the user wants to read; doctor shows the warnings.
    app = App(settings.model_copy(update={"log_level": "error"}), declared)
    await app.start()
    try:
        yield LocalDesk(app, language)
    finally:
        await app.stop()


class LocalDesk:
    """Answers from the store, in the API's words."""

    def __init__(self, app: App, language: str) -> None:
        self._app = app
        self._database = app.database
        self._language = language

    async def submit(self, task_type: str, input_: Json, options: Mapping[str, Any]) -> Json:
        """The accepted task, on stable storage."""
        return self._wire(await self._app.client.submit(task_type, input_, Options(**options)))

    async def upload(self, file: Path) -> Json:
        """Keeps the file's bytes under their SHA-256."""
        limit = self._app.settings.upload_limit
        try:
            sha256, size = await blobs.put(self._database, _chunks(file), limit=limit)
        except TooLarge:
            raise TooLarge(f"{file} is larger than {limit} bytes (upload_limit)") from None
        except InvalidInput:
            raise Refusal(f"{file} is empty") from None
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        return {"blob": sha256, "name": file.name, "size": size, "content_type": kind}

    async def get(self, id_: str) -> Json:
        """The task as it stands."""
        return self._wire(await self._app.client.get(id_))

    async def page(self, wanted: Mapping[str, str], limit: int) -> list[Json]:
        """Tasks, newest first, without results."""
        found = await self._database.read(lists.page, _filter(wanted), limit=limit)
        return [self._wire(task) for task in found]

    async def stats(self, wanted: Mapping[str, str]) -> Json:
        """How many tasks stand in each status."""
        return {"stats": await self._database.read(lists.stats, _filter(wanted))}

    async def monitoring(self, hours: float) -> Json:
        """What is watched."""
        return figures_wire(await self._database.read(figures, round(hours * 3_600_000)), hours)

    async def timeline(self, id_: str) -> list[Json]:
        """The task's events, all of them."""
        found: list[Json] = []
        while True:
            after = found[-1]["seq"] if found else 0
            page = await self._database.read(lists.events, id_, after, PAGE)
            found += [_event(event) for event in page]
            if len(page) < PAGE:
                return found

    async def deliveries(self, id_: str) -> list[Json]:
        """The task's deliveries, whatever became of them."""
        return [delivery_wire(row) for row in await self._database.read(lists.rows_of, "delivery", id_)]

    async def why(self, id_: str) -> Json:
        """Why the task stands where it stands; which handlers exist is for the workers to know."""
        said = await why(self._database, id_, now_ms=self._app.clock.now_ms())
        zh = self._language == "zh"
        reasons = [
            {"code": one.code, "text": one.text_zh if zh else one.text_en, "data": one.data}
            for one in said.reasons
        ]
        summary = reasons[0]["text"] if reasons else said.summary
        return {"task_id": id_, "status": said.status.value, "summary": summary, "reasons": reasons}

    async def cancel(self, id_: str) -> Json:
        """Cancels at once, or asks the running attempt to stop."""
        return self._wire(await self._app.client.cancel(id_))

    async def signal(self, id_: str, name: str, data: Any, key: str | None) -> Json:
        """Tells the task something."""
        return self._wire(await self._app.client.signal(id_, name, data, key=key))

    async def retry(self, id_: str) -> Json:
        """Gives a failed or cancelled task another run."""
        return self._wire(await self._app.client.retry(id_))

    @property
    def schedules(self) -> LocalSchedules:
        """What is asked of schedules."""
        return LocalSchedules(self._app, self._language)

    @property
    def queues(self) -> LocalQueues:
        """What an operator does with queues."""
        return LocalQueues(self._app)

    @property
    def shares(self) -> LocalShares:
        """What an operator does with weights."""
        return LocalShares(self._app)

    @property
    def limits(self) -> LocalLimits:
        """What an operator does with limits."""
        return LocalLimits(self._app)

    @property
    def gates(self) -> LocalGates:
        """What an operator does with gates."""
        return LocalGates(self._app)

    @property
    def accounts(self) -> LocalAccounts:
        """Keys, and the audit log."""
        return LocalAccounts(self._app)

    @property
    def outlets(self) -> LocalOutlets:
        """What is asked of endpoints, deliveries and inboxes."""
        return LocalOutlets(self._app)

    async def follow(self, id_: str) -> AsyncIterator[Json]:
        """Events as they are committed, by whichever process."""
        async with aclosing(live.follow(self._database, id_)) as events:
            async for event in events:
                if event.type != live.PING:
                    yield _event(event)

    def _wire(self, task: Task) -> Json:
        return task_wire(task, language=self._language)


class LocalQueues:
    """Steers queues in the store."""

    def __init__(self, app: App) -> None:
        self._operator = app.operator
        self._client = app.client

    async def page(self) -> list[Json]:
        """All queues by name."""
        return [queue_wire(one) for one in await self._operator.queues()]

    async def get(self, name: str) -> Json:
        """One of them."""
        return queue_wire(await self._operator.queue(name))

    async def pause(self, name: str, words: Json) -> Json:
        """Pauses a queue; workers of other processes heed it from the commit on."""
        return queue_wire(await self._operator.pause(name, **words))

    async def resume(self, name: str) -> Json:
        """Opens a queue."""
        return queue_wire(await self._operator.resume(name))

    async def purge(self, name: str, statuses: Sequence[str], limit: int) -> Json:
        """Cancels what waits in it."""
        tally = await self._operator.purge(name, tuple(map(_status, statuses)), limit=limit)
        return {"cancelled": tally.count, "more": tally.more}

    async def retry(self, chosen: Choice, limit: int) -> Json:
        """Another run for the chosen ones."""
        tally = await self._operator.retry(_chosen(chosen), limit=limit)
        return {"retried": tally.count, "more": tally.more}

    async def move(self, chosen: Choice, to: Json, limit: int) -> Json:
        """Puts the chosen ones elsewhere."""
        place = {"to": to.get("queue"), "priority": to.get("priority")}
        tally = await self._operator.move(_chosen(chosen), **place, limit=limit)
        return {"moved": tally.count, "more": tally.more}

    async def begin(self, action: str, chosen: Choice, to: Json, options: Mapping[str, Any]) -> Json:
        """Begins a job; whichever worker serves its queue does it."""
        place = {"to": to.get("queue"), "priority": to.get("priority")}
        job = self._operator.job(action, _chosen(chosen), **place)
        return task_wire(await self._client.submit(BULK, job, Options(**options)))


class LocalShares:
    """Weights in the store."""

    def __init__(self, app: App) -> None:
        self._operator = app.operator

    async def page(self) -> list[Json]:
        """All that were given."""
        return [share_wire(one) for one in await self._operator.shares()]

    async def put(self, owner: str, weight: int, tenant: str) -> Json:
        """Gives one."""
        return share_wire(await self._operator.weigh(owner, weight, tenant=tenant))

    async def clear(self, owner: str, tenant: str) -> bool:
        """Takes one away."""
        return await self._operator.unweigh(owner, tenant=tenant)


class LocalLimits:
    """Sets limits in the store."""

    def __init__(self, app: App) -> None:
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

    async def put(self, name: str, words: Json) -> Json:
        """Sets what the words say; workers of other processes heed it from the commit on."""
        return limit_wire(await self._book.put(name, **words))

    async def clear(self, name: str) -> Json:
        """Ends the operator's word."""
        return limit_wire(await self._book.clear(name))


class LocalGates:
    """Closes and opens gates in the store."""

    def __init__(self, app: App) -> None:
        self._book = app.gates

    async def page(self) -> list[Json]:
        """All gates by name."""
        return [gate_wire(one) for one in await self._book.page()]

    async def get(self, name: str) -> Json:
        """One of them."""
        return gate_wire(await self._book.get(name))

    async def close(self, name: str, words: Json) -> Json:
        """Closes it by hand."""
        return gate_wire(await self._book.close(name, **words))

    async def open(self, name: str) -> Json:
        """Opens it, and tasks that wait for a gate look again."""
        return gate_wire(await self._book.open(name))


class LocalSchedules:
    """Answers about schedules from the store."""

    def __init__(self, app: App, language: str) -> None:
        self._schedules = app.schedules
        self._clock = app.clock
        self._language = language

    async def page(self) -> list[Json]:
        """All schedules, by name."""
        return [self._wire(one) for one in await self._schedules.page()]

    async def keep(
        self, name: str, task_type: str, input_: Json, options: Mapping[str, Any], *, replaces: bool
    ) -> Json:
        """Makes a schedule, or replaces what it says."""
        return self._wire(
            (await self._schedules.keep(name, task_type, input_, options, replaces=replaces))[0]
        )

    async def get(self, key: Key) -> Json:
        """What it says, and how it stands."""
        return self._wire(await self._schedules.get(key))

    async def steer(self, key: Key, word: str) -> Json:
        """`pause` or `resume`."""
        return self._wire(await getattr(self._schedules, word)(key))

    async def run(self, key: Key) -> Json:
        """Submits its task now."""
        return task_wire(await self._schedules.run(key), language=self._language)

    async def remove(self, key: Key) -> None:
        """Forgets it."""
        await self._schedules.remove(key)

    async def coming(self, key: Key, count: int) -> list[str]:
        """Its next ticks."""
        ticks = self._schedules.upcoming(await self._schedules.get(key), count)
        return [iso(tick) or "" for tick in ticks]

    def _wire(self, schedule: Schedule) -> Json:
        return schedule_wire(schedule, self._clock.now_ms())


async def _chunks(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as source:
        while chunk := source.read(CHUNK):
            yield chunk


def _filter(wanted: Mapping[str, str]) -> lists.Filter:
    words: dict[str, Any] = dict(wanted)
    if "status" in words:
        words["status"] = _status(words["status"])
    if "since" in words:
        words["ended_since"] = moment(words.pop("since"), 0, "since")
    return lists.Filter(**words)


def _chosen(chosen: Choice) -> lists.Filter:
    return replace(_filter(chosen.where), ids=tuple(chosen.ids))


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        raise Refusal(f"there is no status {text!r}; there are: {', '.join(Status)}") from None


def _event(event: Event | live.LiveEvent) -> Json:
    return {"seq": event.seq, "type": str(event.type), "at": iso(event.at), "data": event.data}
