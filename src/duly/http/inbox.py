"""/api/notifications: what was delivered into the caller's inbox; what is unread, and marking it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from duly.http import paging
from duly.http.gate import JsonBody, shaped
from duly.http.identity import PrincipalDep
from duly.http.parts import PartsDep
from duly.http.queues import json_body
from duly.model.errors import InvalidInput
from duly.observe.deliveries import notification_wire
from duly.store import inbox

router = APIRouter(prefix="/api/notifications", tags=["inbox"])


class Whose(BaseModel):
    """In whose inbox; for administrators."""

    model_config = ConfigDict(extra="forbid")

    owner: str | None = Field(None, max_length=64)
    tenant: str | None = Field(None, max_length=64)


class Reading(Whose):
    """From where, how much, and which."""

    after: int = Field(0, ge=0, le=2**53 - 1)
    limit: int = Field(100, ge=1, le=200)
    cursor: str | None = Field(None, max_length=paging.CURSOR_LIMIT, description="From the page before.")
    unread: bool | None = Field(None, description="true: only unread ones; false: only read ones.")
    newest: bool = Field(False, description="true: the newest first; `after` does not count then.")


class Marking(Whose):
    """Which lines: `ids`, all up to a number, or all there are; `read` false makes them unread again."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ids: list[Annotated[int, Field(ge=1, le=2**53 - 1)]] | None = Field(None, min_length=1, max_length=1000)
    up_to: int | None = Field(None, ge=0, le=2**53 - 1)
    all: bool = False
    read: bool = True


@router.get("", responses=paging.LINKED)
async def read(
    request: Request, principal: PrincipalDep, parts: PartsDep, wanted: Annotated[Reading, Query()]
) -> Response:
    """The notifications after number `after`, oldest first; ids ascend. `Link` leads to the next page."""
    tenant, owner = principal.acting(wanted.tenant, wanted.owner)
    how = {"unread": wanted.unread, "newest": wanted.newest}
    book = paging.Pages(request, principal, "notifications", {"tenant": tenant, "owner": owner, **how})
    given = 0 if wanted.newest else wanted.after
    last = given if wanted.cursor is None else int(book.open(wanted.cursor)[0])
    rows = await parts.app.database.read(inbox.page, tenant, owner, last, wanted.limit + 1, **how)
    body = {"notifications": [notification_wire(row) for row in rows[: wanted.limit]]}
    return book.answer(body, [rows[wanted.limit - 1]["id"]] if len(rows) > wanted.limit else None)


@router.get("/stats")
async def stats(principal: PrincipalDep, parts: PartsDep, wanted: Annotated[Whose, Query()]) -> Response:
    """How many are unread, and the number of the latest."""
    whose = principal.acting(wanted.tenant, wanted.owner)
    return JSONResponse(await parts.app.database.read(inbox.stats, *whose))


@router.post("/read", openapi_extra=json_body(Marking))
async def mark(principal: PrincipalDep, parts: PartsDep, body: JsonBody) -> Response:
    """Mark lines as read, or as unread; answers how many changed, and the stats from then on."""
    asked = shaped(Marking, body)
    if [asked.ids is not None, asked.up_to is not None, asked.all].count(True) != 1:
        raise InvalidInput("say which: ids, up_to, or all")
    tenant, owner = principal.acting(asked.tenant, asked.owner)
    ids = None if asked.ids is None else tuple(asked.ids)
    chosen = inbox.Mark(tenant=tenant, owner=owner, ids=ids, up_to=asked.up_to, read=asked.read)
    changed = await parts.app.database.write(inbox.mark, chosen)
    return JSONResponse({"changed": changed, **await parts.app.database.read(inbox.stats, tenant, owner)})
