"""The audit log: a line for each call that changes something, whoever made it and however it ended.

What `permissions` calls `own` writes its line in its transaction. Else it is written before the answer is
sent; a submission's right behind it, for the task is a record of itself and must not cost a second commit,
and so is that of a 503: its caller has waited for the database long enough.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import uuid_utils
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from duly.http import paging
from duly.http.identity import KEPT, AdminDep, only_administrators
from duly.http.parts import PartsDep, parts
from duly.http.permissions import SAFE, Rule, rule_of
from duly.http.principal import Principal
from duly.model.errors import DulyError
from duly.observe.accounts import audit_wire
from duly.store import audit
from duly.store.audit import Entry, Search

router = APIRouter(prefix="/api/audit", tags=["audit"], dependencies=[only_administrators])

#: How a caller may name his request; any other name is replaced by ours.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST = "duly.request_id"
#: Whoever holds the address of a callback.
_VENDOR = Principal(credential="callback")


class Reading(BaseModel):
    """Which lines, and how many."""

    model_config = ConfigDict(extra="forbid")

    action: str | None = Field(None, max_length=100)
    owner: str | None = Field(None, max_length=64)
    object: str | None = Field(None, max_length=500)
    before: str | None = Field(None, max_length=36, description="Only those older than this one.")
    cursor: str | None = Field(None, max_length=paging.CURSOR_LIMIT, description="From the page before.")
    limit: int = Field(100, ge=1, le=1000)


@router.get("", responses=paging.LINKED)
async def read(
    request: Request, admin: AdminDep, parts: PartsDep, wanted: Annotated[Reading, Query()]
) -> Response:
    """Who did what to what, and how it ended; the newest first, for administrators.

    `Link` leads to the next page; `before` is the id that it begins behind.
    """
    words = wanted.model_dump(include={"action", "owner", "object"})
    book = paging.Pages(request, admin, "audit", words)
    search = Search(**words, before=book.behind(wanted.cursor, wanted.before or "") or None)
    found = await parts.app.database.read(audit.page, search, limit=wanted.limit + 1)
    shown = found[: wanted.limit]
    more = shown[-1]["id"] if len(found) > wanted.limit else None
    return book.answer({"lines": [audit_wire(row) for row in shown], "before": more}, more and [more])


class Audited:
    """Writes the lines, and names each request: `X-Request-Id`, the caller's own if it is a plain word."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        scope[_REQUEST] = _named(request.headers.get("x-request-id", ""))
        written = False

        async def audited(message: Message) -> None:
            nonlocal written
            if message["type"] == "http.response.start" and not written:
                written = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Request-Id", scope[_REQUEST])
                await _write(request, message["status"], headers.get("location", ""))
            await send(message)

        try:
            await self._app(scope, receive, audited)
        except Exception:
            if not written:
                await _write(request, 500, "")
            raise


def _named(given: str) -> str:
    return given if _REQUEST_ID.fullmatch(given) else str(uuid_utils.uuid7())


async def _write(request: Request, status: int, location: str) -> None:
    if request.scope["method"] in SAFE or "route" not in request.scope:
        return
    rule = rule_of(request)
    principal = _who(request, rule, status)
    if principal is None or not rule.action or (rule.own and status < 400):
        return
    app = parts(request).app
    entry = line_of(request, principal, status, made=location.rpartition("/")[2])

    def told(answer: object) -> None:
        if isinstance(answer, DulyError):
            app.emit("audit.failed", action=entry.action, object=entry.object, error=answer.message)

    if status == 503 or (rule.soon and status < 400):
        app.database.post(audit.add, entry, told)
        return
    try:
        await app.database.write(audit.add, entry)
    except DulyError as error:
        told(error)


def _who(request: Request, rule: Rule, status: int) -> Principal | None:
    """Who acted; a stranger who was refused leaves no line, for he could write as many as he likes."""
    known: Principal | None = request.scope.get(KEPT)
    if known is None and rule.action == "callback.keep" and status < 400:
        return _VENDOR
    return known


def line_of(connection: HTTPConnection, principal: Principal, status: int, *, made: str = "") -> Entry:
    """The line of this request; `made` is the id of what it has made."""
    places: dict[str, Any] = connection.scope.get("path_params", {})
    said = [str(value) for name, value in places.items() if name != "secret"]
    client = connection.client
    return Entry(
        action=rule_of(connection).action,
        object="/".join(said)[:500] or made[:500],
        status=status,
        role=principal.role,
        tenant=principal.tenant,
        owner=principal.owner,
        credential=principal.credential,
        request_id=connection.scope.get(_REQUEST, ""),
        client=client.host[:64] if client else "",
    )
