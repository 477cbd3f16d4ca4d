"""/api/usage: what model calls have cost, one's own; for administrators everybody's."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from duly.http.identity import PrincipalDep
from duly.http.parts import PartsDep
from duly.observe import usage

router = APIRouter(prefix="/api/usage", tags=["usage"])


class Report(BaseModel):
    """Which calls, and what they are grouped by; owner and tenant are for administrators."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(
        usage.DEFAULT,
        max_length=200,
        description="With commas: day, tenant, owner, task_type, provider, model, prompt; empty: all in one.",
    )
    since: str | None = Field(None, max_length=40, description="From this UTC day on, as 2026-11-29.")
    until: str | None = Field(None, max_length=40, description="Up to this UTC day, itself included.")
    owner: str | None = Field(None, max_length=64)
    tenant: str | None = Field(None, max_length=64)
    task_type: str | None = Field(None, max_length=100)
    model: str | None = Field(None, max_length=200)


@router.get("")
async def report(principal: PrincipalDep, parts: PartsDep, wanted: Annotated[Report, Query()]) -> Response:
    """Calls, tokens and cost of model calls, a row for each group and currency.

    What is not known is null, and counted in `uncounted` (tokens) and `unpriced` (cost). `discarded` calls
    were paid for and were of no use.
    """
    said = wanted.model_dump(exclude={"by"})
    if not principal.sees_all:
        said["tenant"], said["owner"] = principal.acting(wanted.tenant, wanted.owner)
    return JSONResponse(await usage.usage(parts.app.database, usage.search(wanted.by, said)))
