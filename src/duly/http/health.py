"""/livez, /readyz and /health: open to all, and saying no more than an orchestrator needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http.parts import Parts, PartsDep
from duly.http.problems import problem
from duly.model.errors import DulyError
from duly.store import lists
from duly.store.transaction import Transaction

#: A database that does not answer a probe within this is not ready.
PROBE_SECONDS = 2.0

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez() -> Response:
    """The process serves requests; asks nobody else."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request, parts: PartsDep) -> Response:
    """Whether work may be sent here: not draining, all parts well, the database reads and takes its lock."""
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
    return await _probe(parts) if ready else reason or "a part is not ready"


async def _probe(parts: Parts) -> str:
    database = parts.app.database
    try:
        # Shielded: a probe that gives up must not take its call away from the writer.
        calls = asyncio.gather(database.read(lists.statuses, []), database.write(_take_lock, None))
        calls.add_done_callback(_seen)
        async with asyncio.timeout(PROBE_SECONDS):
            await asyncio.shield(calls)
    except TimeoutError:
        return f"the database did not answer within {PROBE_SECONDS:g} seconds"
    except DulyError as error:
        parts.app.emit("http.unready", path="/readyz", error=error.message)
        return "the database cannot be used now"
    return ""


def _seen(calls: asyncio.Future[Any]) -> None:
    """How the calls of a probe that gave up ended is nobody's business."""
    if not calls.cancelled():
        calls.exception()


def _take_lock(tx: Transaction, items: Sequence[Any]) -> Sequence[Any]:  # noqa: ARG001 - a verb's shape
    """The verb that writes nothing: that it runs proves the writer and the write lock."""
    return items
