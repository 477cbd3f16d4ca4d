"""/api/monitoring: success, durations, retries, backlog, and which alarms fire; for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from duly.http.identity import only_administrators
from duly.http.parts import PartsDep
from duly.observe.figures import figures_wire
from duly.store.figures import figures

router = APIRouter(prefix="/api/monitoring", tags=["metrics"], dependencies=[only_administrators])

HOUR_MS = 3_600_000


@router.get("")
async def monitoring(
    parts: PartsDep,
    hours: Annotated[float, Query(gt=0, le=8760, description="Of tasks accepted in the last hours.")] = 24,
) -> Response:
    """How the tasks of the last hours ended, how long each type takes, retries, backlog, workers, alarms."""
    seen = await parts.app.database.read(figures, round(hours * HOUR_MS))
    return JSONResponse(figures_wire(seen, hours))
