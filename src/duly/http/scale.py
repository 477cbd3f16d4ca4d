"""/metrics/scale: what an autoscaler (KEDA, an HPA) asks; for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from duly.http.identity import only_administrators
from duly.http.parts import PartsDep
from duly.model.errors import InvalidInput
from duly.model.task import check_name
from duly.observe.scale import scale_wire
from duly.store.scale import load, overdue

router = APIRouter(prefix="/metrics", tags=["metrics"], dependencies=[only_administrators])

MOST_QUEUES = 100


@router.get("/scale")
async def scale(
    parts: PartsDep,
    queues: Annotated[str | None, Query(description="Only these, with commas; zeros when empty.")] = None,
    slots: Annotated[
        int | None,
        Query(ge=1, le=100_000, description="Tasks that one worker runs at once; else `concurrency`."),
    ] = None,
) -> Response:
    """What waits and runs, in each queue and in all, and how many workers would run it at once (`desired`).

    One at least in `total` while something is `overdue` that only workers do. Cheap at any length of history;
    no number goes beyond 10,000.
    """
    names = None if queues is None else _names(queues)
    loads = await parts.app.database.read(load, names)
    late = await parts.app.database.read(overdue)
    return JSONResponse(scale_wire(loads, slots or parts.app.settings.concurrency, overdue=late))


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(text.split(",")))
    if len(names) > MOST_QUEUES:
        raise InvalidInput(f"queues: at most {MOST_QUEUES} at once")
    for name in names:
        check_name(name, "queues")
    return names
