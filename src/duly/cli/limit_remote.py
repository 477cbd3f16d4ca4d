"""Limits and gates behind the API of a running server; a part of `cli.remote`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import quote

from duly.cli.desk import Json

PAGE = "1000"


class HttpLimits:
    """Sets limits through the API."""

    def __init__(self, ask: Callable[..., Awaitable[Json]]) -> None:
        self._ask = ask

    async def page(self) -> list[Json]:
        """All limits by name."""
        found: list[Json] = []
        while True:
            query = {"after": found[-1]["name"] if found else "", "limit": PAGE}
            page = cast("list[Json]", (await self._ask("GET", "/api/limits", query=query))["limits"])
            if not page:
                return found
            found += page

    async def get(self, name: str) -> Json:
        """One of them."""
        return await self._ask("GET", _path(name))

    async def put(self, name: str, words: Json) -> Json:
        """Sets what the words say."""
        return await self._ask("PUT", _path(name), words)

    async def clear(self, name: str) -> Json:
        """Ends the operator's word."""
        return await self._ask("DELETE", _path(name))


class HttpGates:
    """Closes and opens gates through the API."""

    def __init__(self, ask: Callable[..., Awaitable[Json]]) -> None:
        self._ask = ask

    async def page(self) -> list[Json]:
        """All gates by name."""
        return cast("list[Json]", (await self._ask("GET", "/api/gates"))["gates"])

    async def get(self, name: str) -> Json:
        """One of them."""
        return await self._ask("GET", _gate(name))

    async def close(self, name: str, words: Json) -> Json:
        """Closes it by hand."""
        return await self._ask("POST", _gate(name, "/close"), words)

    async def open(self, name: str) -> Json:
        """Opens it."""
        return await self._ask("POST", _gate(name, "/open"))


def _path(name: str) -> str:
    return f"/api/limits/{quote(name, safe='/')}"


def _gate(name: str, verb: str = "") -> str:
    return f"/api/gates/{quote(name, safe='')}{verb}"
