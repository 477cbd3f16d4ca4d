"""/api/tickets: a ticket opens one WebSocket route once, for the caller, within a minute."""

from __future__ import annotations

import json
import secrets
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from duly.clock import iso
from duly.http.gate import JsonBody, shaped
from duly.http.identity import PrincipalDep
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.store import tickets

router = APIRouter(prefix="/api/tickets", tags=["live"])

TTL_SECONDS = 60


class TicketRequest(BaseModel):
    """Which route it is for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    route: Literal["/ws/tasks", "/ws/notifications"] = Field("/ws/tasks", description="Where it opens.")


@router.post("", status_code=201, openapi_extra=json_body(TicketRequest))
async def issue(principal: PrincipalDep, parts: PartsDep, body: JsonBody) -> Response:
    """A ticket for a page that cannot send its token: `new WebSocket(route + "?ticket=" + ticket)`."""
    wanted = shaped(TicketRequest, body)
    secret = secrets.token_urlsafe(24)
    whose = json.dumps(principal.kept())
    ticket = tickets.Ticket(secret=secret, route=wanted.route, principal=whose, ttl_ms=1000 * TTL_SECONDS)
    expires_at = await parts.app.database.write(tickets.issue, ticket)
    said = {"ticket": secret, "route": wanted.route, "expires_at": iso(expires_at)}
    return JSONResponse(said, 201, {"Cache-Control": "no-store"})
