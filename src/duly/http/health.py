"""/livez, /readyz and /health: open to all, and saying no more than an orchestrator needs."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http.parts import Parts, PartsDep
from duly.http.problems import problem
from duly.store import lists

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Response:
    """The process serves requests; asks nobody else."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request, parts: PartsDep) -> Response:
    """Whether work may be sent here: not draining, all parts well, the database reads and writes, is
    of this version's revision, and its disk has more room left than the setting `reserve`."""
    reason = await _unready(parts)
    if reason:
        return problem(request, 503, "not_ready", reason, headers={"Retry-After": "1"})
    return JSONResponse({"status": "ready"})


@router.get("/health")
async def health(parts: PartsDep) -> Response:
    """Status, version, and how many worker sessions live."""
    workers = await parts.app.database.read(lists.living_workers)
    now = parts.app.clock.now_ms()
    living = sum(worker["lease_until"] > now for worker in workers)
    return JSONResponse({"status": "ok", "version": version("duly"), "workers": living})


async def _unready(parts: Parts) -> str:
    if parts.stopping.is_set():
        return "the server is draining"
    ready, reason = parts.ready()
    return await parts.probe.failure() if ready else reason or "a part is not ready"
