"""Tells followers of single tasks when theirs has moved: one look for all of them, whatever their number."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from duly.deliver.beat import Beat
from duly.store import feed
from duly.store.database import Database


class Watch:
    """The followed tasks of one process. A line is numbered under its task's lock: nothing is missed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._heads: dict[str, tuple[Any, ...] | None] = {}
        self._beat = Beat(database, self._look, self._failed)

    @contextlib.contextmanager
    def task(self, id_: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the task may have moved."""
        news = asyncio.Event()
        self._waiting[id_].add(news)
        self._beat.start()
        try:
            yield news
        finally:
            self._waiting[id_].discard(news)
            if not self._waiting[id_]:
                del self._waiting[id_]
                self._heads.pop(id_, None)
            if not self._waiting:
                self._beat.stop()

    async def _look(self) -> None:
        found = await self._database.read(feed.heads, list(self._waiting))
        for id_, followers in self._waiting.items():
            head = found.get(id_)
            if id_ in self._heads and self._heads[id_] == head:
                continue
            self._heads[id_] = head
            for news in followers:
                news.set()

    def _failed(self, _error: Exception) -> None:
        """Each follower looks for itself, and meets the same."""
        for followers in self._waiting.values():
            for news in followers:
                news.set()
