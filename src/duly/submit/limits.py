"""What an operator says of limits, and sees of them."""

from __future__ import annotations

from typing import Any

from duly.model.errors import LimitNotFound
from duly.model.events import Emit
from duly.model.limit import Rate, check_limit_name
from duly.store import limit_desk
from duly.store.database import Database
from duly.store.limit_desk import Setting

Row = dict[str, Any]


class LimitBook:
    """Lists, sets and clears limits, through one database."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

    async def page(self, *, after: str = "", limit: int = 1000) -> list[Row]:
        """The limits behind `after` by name, with how many tasks are blocked on each."""
        return await self._database.read(limit_desk.listed, after=after, limit=limit)

    async def get(self, name: str) -> Row:
        """One of them.

        Raises:
            LimitNotFound: nobody declared or set it.
        """
        check_limit_name(name, quota=True)
        if found := await self._database.read(limit_desk.listed, [name]):
            return found[0]
        raise LimitNotFound(f"there is no limit {name}; duly limit ls shows those that there are")

    async def put(
        self,
        name: str,
        *,
        concurrency: int | None = None,
        rate: str | None = None,
        waiting: int | None = None,
        by: str | None = None,
    ) -> Row:
        """From the answer on it holds, whatever the code declares; what is None stays as it was.

        Raises:
            InvalidInput: a name, a number or a rate that is none.
        """
        pace = None if rate is None else Rate.parse(rate)
        said = Setting(name=name, concurrency=concurrency, rate=pace, waiting=waiting, by=by)
        await self._database.write(limit_desk.put, said)
        self._emit("limit.set", limit=name, concurrency=concurrency, rate=rate, waiting=waiting, by=by)
        return await self.get(name)

    async def clear(self, name: str) -> Row:
        """The operator's word ends: what the code declares holds again, or nothing.

        Raises:
            LimitNotFound: nobody declared or set it.
        """
        await self.get(name)
        await self._database.write(limit_desk.clear, name)
        self._emit("limit.cleared", limit=name)
        return await self.get(name)
