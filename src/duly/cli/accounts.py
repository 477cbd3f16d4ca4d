"""Keys, audit log and ledger, at the database and behind a server's API; a part of `local` and `remote`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import cast
from urllib.parse import quote

from duly.cli.desk import Json
from duly.cli.trail import who
from duly.observe import usage
from duly.observe.accounts import audit_wire, key_wire
from duly.runtime.app import App
from duly.store import audit
from duly.store.audit import Search
from duly.submit.keys import KeyRequest


class LocalAccounts:
    """Handles keys in the database; the audit log names the user of this machine."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def make(self, words: Json) -> Json:
        """A new key, with its text."""
        row, text = await self._app.keys.make(KeyRequest(**words), who())
        return {**key_wire(row), "key": text}

    async def page(self) -> list[Json]:
        """All keys by id."""
        found: list[Json] = []
        while page := await self._app.keys.page(after=found[-1]["id"] if found else ""):
            found += [key_wire(row) for row in page]
        return found

    async def rotate(self, id_: str, overlap: float) -> Json:
        """The key with its next text."""
        row, text = await self._app.keys.rotate(id_, who(), overlap)
        return {**key_wire(row), "key": text}

    async def revoke(self, id_: str) -> Json:
        """The key, which opens nothing any more."""
        return key_wire(await self._app.keys.revoke(id_, who()))

    async def audit(self, wanted: Mapping[str, str], limit: int) -> list[Json]:
        """The newest lines of the audit log."""
        found = await self._app.database.read(audit.page, Search(**wanted), limit=limit)
        return [audit_wire(row) for row in found]

    async def usage(self, by: str, wanted: Mapping[str, str]) -> Json:
        """What model calls have cost."""
        return await usage.usage(self._app.database, usage.search(by, wanted))


class HttpAccounts:
    """Handles keys through the API."""

    def __init__(self, ask: Callable[..., Awaitable[Json]]) -> None:
        self._ask = ask

    async def make(self, words: Json) -> Json:
        """A new key, with its text."""
        return await self._ask("POST", "/api/keys", words)

    async def page(self) -> list[Json]:
        """All keys by id."""
        found: list[Json] = []
        while True:
            query = {"after": found[-1]["id"] if found else ""}
            page = cast("list[Json]", (await self._ask("GET", "/api/keys", query=query))["keys"])
            if not page:
                return found
            found += page

    async def rotate(self, id_: str, overlap: float) -> Json:
        """The key with its next text."""
        return await self._ask("POST", f"/api/keys/{quote(id_, safe='')}/rotate", {"overlap": overlap})

    async def revoke(self, id_: str) -> Json:
        """The key, which opens nothing any more."""
        return await self._ask("DELETE", f"/api/keys/{quote(id_, safe='')}")

    async def audit(self, wanted: Mapping[str, str], limit: int) -> list[Json]:
        """The newest lines of the audit log."""
        query = {**wanted, "limit": str(limit)}
        return cast("list[Json]", (await self._ask("GET", "/api/audit", query=query))["lines"])

    async def usage(self, by: str, wanted: Mapping[str, str]) -> Json:
        """What model calls have cost."""
        return await self._ask("GET", "/api/usage", query={"by": by, **wanted})
