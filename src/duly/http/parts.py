"""What every route needs and the composition root made: the app, whether it is ready, whether it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from duly.deliver.feed import Feed
from duly.deliver.watch import Watch
from duly.http.probe import Probe
from duly.http.seats import Seats
from duly.runtime.app import App

Ready = Callable[[], tuple[bool, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Kept in `api.state.duly`; `stopping` is set when the server begins to drain. `feed` and `watch` look
    for all who follow here."""

    app: App
    ready: Ready
    probe: Probe
    stopping: asyncio.Event
    feed: Feed
    watch: Watch
    seats: Seats


def parts(connection: HTTPConnection) -> Parts:
    """The parts behind a request."""
    return cast("Parts", connection.app.state.duly)


PartsDep = Annotated[Parts, Depends(parts)]
