"""What commands ask, of the database or of a server's API; both answer in the API's JSON."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from duly.cli.options import Place
from duly.cli.shell import Refusal

if TYPE_CHECKING:
    from duly.cli.outlets import OutletDesk

Json = dict[str, Any]
Key = tuple[str, str]

#: How many of the newest tasks are searched for an id that was given by its end.
SEARCHED = 200
SHORTEST_END = 6
FULL_ID = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which tasks: all that fit the words, of these ids only if there are any."""

    where: Mapping[str, str]
    ids: Sequence[str] = ()


class ScheduleDesk(Protocol):
    """What is asked of schedules; a key is (tenant, name)."""

    async def page(self) -> list[Json]:
        """Schedules by name."""
        ...

    async def keep(
        self, name: str, task_type: str, input_: Json, options: Mapping[str, Any], *, replaces: bool
    ) -> Json:
        """Makes a schedule, or replaces what it says; `options` are the API's request fields."""
        ...

    async def get(self, key: Key) -> Json:
        """What it says, and how it stands."""
        ...

    async def steer(self, key: Key, word: str) -> Json:
        """`pause` or `resume`; the schedule from then on."""
        ...

    async def run(self, key: Key) -> Json:
        """Submits its task now; the task."""
        ...

    async def remove(self, key: Key) -> None:
        """Forgets it."""
        ...

    async def coming(self, key: Key, count: int) -> list[str]:
        """Its next ticks."""
        ...


class QueueDesk(Protocol):
    """What an operator does with queues, and with many tasks at once."""

    async def page(self) -> list[Json]:
        """All queues by name: name, paused, paused_at, paused_by, reason, tasks (a count per state)."""
        ...

    async def get(self, name: str) -> Json:
        """One of them."""
        ...

    async def pause(self, name: str, words: Json) -> Json:
        """Pauses a queue and answers it; `words` are `by` and `reason`."""
        ...

    async def resume(self, name: str) -> Json:
        """Opens a queue and answers it."""
        ...

    async def purge(self, name: str, statuses: Sequence[str], limit: int) -> Json:
        """Cancels what waits in it: {cancelled, more}."""
        ...

    async def retry(self, chosen: Choice, limit: int) -> Json:
        """Another run for the chosen ones: {retried, more}."""
        ...

    async def move(self, chosen: Choice, to: Json, limit: int) -> Json:
        """Puts the chosen ones elsewhere, `to` a queue, a priority, or both: {moved, more}."""
        ...

    async def begin(self, action: str, chosen: Choice, to: Json, options: Mapping[str, Any]) -> Json:
        """Begins a job that cancels, retries or moves all chosen ones; its task."""
        ...


class ShareDesk(Protocol):
    """What an operator does with the weights of owners."""

    async def page(self) -> list[Json]:
        """All that were given: tenant, owner, weight."""
        ...

    async def put(self, owner: str, weight: int, tenant: str) -> Json:
        """Gives one; as it is from then on."""
        ...

    async def clear(self, owner: str, tenant: str) -> bool:
        """Takes it away; whether there was one."""
        ...


class LimitDesk(Protocol):
    """What an operator does with limits."""

    async def page(self) -> list[Json]:
        """All limits by name, as `observe.limits.limit_wire` writes them."""
        ...

    async def get(self, name: str) -> Json:
        """One of them."""
        ...

    async def put(self, name: str, words: Json) -> Json:
        """Sets what the words say (concurrency, rate, waiting, by) and answers the limit."""
        ...

    async def clear(self, name: str) -> Json:
        """Ends the operator's word; the limit from then on."""
        ...


class GateDesk(Protocol):
    """What an operator does with the gates of model providers."""

    async def page(self) -> list[Json]:
        """All gates by name, as `observe.gates.gate_wire` writes them."""
        ...

    async def get(self, name: str) -> Json:
        """One of them."""
        ...

    async def close(self, name: str, words: Json) -> Json:
        """Closes it by hand (seconds, by, reason) and answers it."""
        ...

    async def open(self, name: str) -> Json:
        """Opens it, whatever closed it."""
        ...


class AccountDesk(Protocol):
    """What an administrator does with API keys, the audit log, and the ledger of model calls."""

    async def make(self, words: Json) -> Json:
        """A new key; `key` is its text."""
        ...

    async def page(self) -> list[Json]:
        """All keys by id, as `observe.accounts.key_wire` writes them."""
        ...

    async def rotate(self, id_: str, overlap: float) -> Json:
        """The key with its next text in `key`; the present one stays good for `overlap` seconds."""
        ...

    async def revoke(self, id_: str) -> Json:
        """The key, which opens nothing any more."""
        ...

    async def audit(self, wanted: Mapping[str, str], limit: int) -> list[Json]:
        """The newest lines: who did what to what."""
        ...

    async def usage(self, by: str, wanted: Mapping[str, str]) -> Json:
        """What model calls have cost: {by, rows, more}."""
        ...


class Desk(Protocol):
    """One interface, two implementations: `local.LocalDesk` and `remote.HttpDesk`."""

    async def submit(self, task_type: str, input_: Json, options: Mapping[str, Any]) -> Json:
        """The accepted task; `options` are the API's request fields."""
        ...

    async def upload(self, file: Path) -> Json:
        """Keeps a file; answers what goes into a task's input: blob, name, size, content_type."""
        ...

    async def get(self, id_: str) -> Json:
        """The task as it stands."""
        ...

    async def page(self, wanted: Mapping[str, str], limit: int) -> list[Json]:
        """Tasks, newest first, without results."""
        ...

    async def stats(self, wanted: Mapping[str, str]) -> Json:
        """How many tasks stand in each status."""
        ...

    async def monitoring(self, hours: float) -> Json:
        """What is watched, of the tasks accepted in the last hours, as `observe.figures` writes it."""
        ...

    async def timeline(self, id_: str) -> list[Json]:
        """The task's events: seq, type, at, data."""
        ...

    async def deliveries(self, id_: str) -> list[Json]:
        """What the task owes and to whom; None where this cannot be asked."""
        ...

    async def why(self, id_: str) -> Json:
        """Why the task stands where it stands: summary, reasons."""
        ...

    async def cancel(self, id_: str) -> Json:
        """Cancels at once, or asks the running attempt to stop."""
        ...

    async def signal(self, id_: str, name: str, data: Any, key: str | None) -> Json:
        """Tells the task something; the same key again is the same signal."""
        ...

    async def retry(self, id_: str) -> Json:
        """Gives a failed or cancelled task another run."""
        ...

    @property
    def schedules(self) -> ScheduleDesk:
        """What is asked of schedules."""
        ...

    @property
    def queues(self) -> QueueDesk:
        """What an operator does with queues, and with many tasks at once."""
        ...

    @property
    def shares(self) -> ShareDesk:
        """What an operator does with the weights of owners."""
        ...

    @property
    def limits(self) -> LimitDesk:
        """What an operator does with limits."""
        ...

    @property
    def gates(self) -> GateDesk:
        """What an operator does with the gates of model providers."""
        ...

    @property
    def accounts(self) -> AccountDesk:
        """What an administrator does with keys, and the audit log."""
        ...

    @property
    def outlets(self) -> OutletDesk:
        """What is asked of endpoints, deliveries and inboxes."""
        ...

    def follow(self, id_: str) -> AsyncIterator[Json]:
        """Events as they happen, and `partial` output between them; ends when the task has ended."""
        ...


def opened(
    place: Place, language: str, *, create: bool = False, handlers: bool = False
) -> AbstractAsyncContextManager[Desk]:
    """The desk that the options and the environment name.

    Args:
        place: the command's options.
        language: of the texts in the answers, `en` or `zh`.
        create: whether a database that is not there is made.
        handlers: whether the command needs the task types that `--app` and `--apps` declare.
    """
    if place.url and place.database_url:
        raise Refusal("--url and --database-url name two places; give one of them")
    url = place.url or ("" if place.database_url else os.environ.get("DULY_URL", ""))
    if url:
        from duly.cli.remote import connected

        return connected(url, place, language)
    from duly.cli.local import at_database

    return at_database(place, language, create=create, handlers=handlers)


async def resolved(desk: Desk, text: str) -> str:
    """A full id from one that was given by its end, as `duly ls` shows it.

    Raises:
        Refusal: no task or several of the newest end like this.
    """
    text = text.strip().lstrip("…").lower()
    if len(text) == FULL_ID:
        return text
    if len(text) < SHORTEST_END:
        raise Refusal(
            f"{text!r} is too short for a task's id: give all of it, or its last {SHORTEST_END} characters"
        )
    ends = [task["id"] for task in await desk.page({}, SEARCHED) if task["id"].endswith(text)]
    if len(ends) == 1:
        return str(ends[0])
    if not ends:
        raise Refusal(f"there is no task {text}, nor one of the newest {SEARCHED} whose id ends like this")
    raise Refusal(f"{len(ends)} tasks have an id that ends in {text}: {', '.join(ends[:4])}")
