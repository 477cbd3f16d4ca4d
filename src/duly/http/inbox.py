"""/api/notifications: what was delivered into the caller's inbox."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from duly.clock import iso
from duly.http import paging
from duly.http.identity import PrincipalDep
from duly.http.parts import PartsDep
from duly.store import lists

router = APIRouter(prefix="/api/notifications", tags=["inbox"])


class Reading(BaseModel):
    """From where, how much, and (for administrators) in whose inbox."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(0, ge=0, le=2**53 - 1)
    limit: int = Field(100, ge=1, le=200)
    cursor: str | None = Field(None, max_length=paging.CURSOR_LIMIT, description="From the page before.")
    owner: str | None = Field(None, max_length=64)
    tenant: str | None = Field(None, max_length=64)


@router.get("", responses=paging.LINKED)
async def read(
    request: Request, principal: PrincipalDep, parts: PartsDep, wanted: Annotated[Reading, Query()]
) -> Response:
    """The notifications after number `after`, oldest first; ids ascend. `Link` leads to the next page."""
    tenant, owner = principal.acting(wanted.tenant, wanted.owner)
    book = paging.Pages(request, principal, "notifications", {"tenant": tenant, "owner": owner})
    after = wanted.after if wanted.cursor is None else int(book.open(wanted.cursor)[0])
    rows = await parts.app.database.read(lists.inbox, tenant, owner, after, wanted.limit + 1)
    body = {"notifications": [wire(row) for row in rows[: wanted.limit]]}
    return book.answer(body, [rows[wanted.limit - 1]["id"]] if len(rows) > wanted.limit else None)


def wire(row: dict[str, Any]) -> dict[str, Any]:
    """A notification, flat: what its body says, its number, its task and its times."""
    times = {"created_at": iso(row["created_at"]), "read_at": iso(row["read_at"])}
    return {
        **json.loads(row["body"]),
        "id": row["id"],
        "task_id": row["task_id"],
        "type": row["type"],
        **times,
    }
