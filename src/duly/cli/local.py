"""The desk at the database itself: the same parts as a server's, without a worker."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duly.cli.accounts import LocalAccounts
from duly.cli.desk import Json, Key
from duly.cli.footing import database_at
from duly.cli.local_steering import LocalGates, LocalLimits, LocalQueues, LocalShares, filter_of
from duly.cli.options import Place
from duly.cli.outlets import LocalOutlets
from duly.cli.shell import Refusal
from duly.cli.trail import tell, traced
from duly.clock import iso
from duly.config import load
from duly.deliver import live
from duly.model.errors import InvalidInput, TooLarge
from duly.model.render import task_wire
from duly.model.schedule import Schedule, schedule_wire
from duly.model.task import Task
from duly.observe.deliveries import delivery_wire
from duly.observe.figures import figures_wire
from duly.observe.why import why
from duly.runtime.app import App
from duly.runtime.declare import Duly
from duly.runtime.load import load_declared
from duly.store import blobs, lists
from duly.store.figures import figures
from duly.submit.admit import Options

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

    @traced("task.submit", made="id")
    async def submit(self, task_type: str, input_: Json, options: Mapping[str, Any]) -> Json:
        """The accepted task, on stable storage."""
        return self._wire(await self._app.client.submit(task_type, input_, Options(**options)))

    @traced("upload.keep", made="blob")
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
        found = await self._database.read(lists.page, filter_of(wanted), limit=limit)
        return [self._wire(task) for task in found]

    async def stats(self, wanted: Mapping[str, str]) -> Json:
        """How many tasks stand in each status."""
        return {"stats": await self._database.read(lists.stats, filter_of(wanted))}

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

    @traced("task.cancel")
    async def cancel(self, id_: str) -> Json:
        """Cancels at once, or asks the running attempt to stop."""
        return self._wire(await self._app.client.cancel(id_))

    @traced("task.signal", places=2)
    async def signal(self, id_: str, name: str, data: Any, key: str | None) -> Json:
        """Tells the task something."""
        return self._wire(await self._app.client.signal(id_, name, data, key=key))

    @traced("task.retry")
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


class LocalSchedules:
    """Answers about schedules from the store."""

    def __init__(self, app: App, language: str) -> None:
        self._app = app
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
        kept, _ = await self._schedules.keep(name, task_type, input_, options, replaces=replaces)
        await tell(self._app, "schedule.replace" if replaces else "schedule.make", name)
        return self._wire(kept)

    async def get(self, key: Key) -> Json:
        """What it says, and how it stands."""
        return self._wire(await self._schedules.get(key))

    @traced("schedule.{1}")
    async def steer(self, key: Key, word: str) -> Json:
        """`pause` or `resume`."""
        return self._wire(await getattr(self._schedules, word)(key))

    @traced("schedule.run")
    async def run(self, key: Key) -> Json:
        """Submits its task now."""
        return task_wire(await self._schedules.run(key), language=self._language)

    @traced("schedule.remove")
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


def _event(event: Event | live.LiveEvent) -> Json:
    return {"seq": event.seq, "type": str(event.type), "at": iso(event.at), "data": event.data}
