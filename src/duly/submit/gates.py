"""What an operator says of the gates of model providers, and anybody sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from duly.model.errors import GateNotFound, InvalidInput
from duly.model.events import Emit
from duly.model.task import check_text
from duly.store import gates
from duly.store.database import Database
from duly.store.gates import Hold

Row = dict[str, Any]
#: The longest that a gate is closed by hand with an end: a year, in seconds.
LONGEST_SECONDS = 366 * 86_400


class GateBook:
    """Lists, closes and opens gates, through one database. `names`: the providers of this configuration."""

    def __init__(self, database: Database, names: Sequence[str], *, emit: Emit) -> None:
        self._database, self._names, self._emit = database, names, emit

    async def page(self) -> list[Row]:
        """All that were asked once, or are configured here, by name."""
        found = {row["name"]: row for row in await self._database.read(gates.listed)}
        return [found.get(name, {"name": name}) for name in sorted({*found, *self._names})]

    async def get(self, name: str) -> Row:
        """One of them.

        Raises:
            GateNotFound: no such provider was ever asked or is configured here.
        """
        check_text(name, "name", 100)
        if found := await self._database.read(gates.listed, [name]):
            return found[0]
        if name in self._names:
            return {"name": name}
        raise GateNotFound(f"there is no gate {name}; duly gate ls shows those that there are")

    async def close(
        self, name: str, *, seconds: float | None = None, by: str | None = None, reason: str | None = None
    ) -> Row:
        """Nobody asks this provider for so long, or until it is opened; tasks that need it wait, uncharged.

        Raises:
            GateNotFound: see `get`.
            InvalidInput: a time that is none, or words that are too long.
        """
        if seconds is not None and not 0 < seconds <= LONGEST_SECONDS:
            raise InvalidInput(f"a gate is closed for up to a year, not {seconds:g} seconds")
        check_text(by or "", "by", 64)
        check_text(reason or "", "reason", 500)
        await self.get(name)
        ms = None if seconds is None else round(seconds * 1000)
        await self._database.write(gates.hold, Hold(name=name, ms=ms, by=by, reason=reason))
        self._emit("gate.closed", gate=name, seconds=seconds, by=by, reason=reason)
        return await self.get(name)

    async def open(self, name: str, *, by: str | None = None) -> Row:
        """The provider may be asked, whatever closed it, and tasks that wait for a gate look again.

        Raises:
            GateNotFound: see `get`.
        """
        check_text(by or "", "by", 64)
        await self.get(name)
        await self._database.write(gates.release, name)
        woken = 0
        while count := await self._database.write(gates.wake, None):
            woken += count
        self._emit("gate.opened", gate=name, by=by, woken=woken)
        return await self.get(name)
