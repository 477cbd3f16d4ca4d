"""/api/schedules: list, make, replace, look, remove, pause, resume, run now, and the next ticks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from duly.clock import iso
from duly.http import paging
from duly.http.caller import CallerDep
from duly.http.gate import JsonBody, shaped
from duly.http.identity import Principal, PrincipalDep
from duly.http.parts import Parts, PartsDep
from duly.http.tasks import TaskRequest
from duly.model.schedule import Schedule, schedule_wire
from duly.model.task import check_text

router = APIRouter(prefix="/api/schedules", tags=["schedules"])

Name = Annotated[str, Field(max_length=100)]


class ScheduleRequest(TaskRequest):
    """What to submit, and when: by a cron line, or every so many seconds. Null is as good as absent."""

    cron: str | None = Field(None, description="Five fields: minute hour day month weekday.")
    zone: str | None = Field(None, description="The cron line's time zone, such as Asia/Shanghai; else UTC.")
    every: float | None = Field(None, description="Seconds from tick to tick, in place of a cron line.")
    catch_up: str | None = Field(
        None, description="What becomes of ticks that fell while no worker ran: one (the last), skip, all."
    )
    catch_up_most: int | None = Field(None, description="How many of them `all` makes up for; 100.")
    due: float | None = Field(None, description="Not before: seconds after the tick.")
    deadline: float | None = Field(None, description="Of no use after: seconds after the tick.")


class NewSchedule(ScheduleRequest):
    """A schedule with its name."""

    name: str = Field(description="1..100 letters, digits, '_', '.', ':' or '-'.")


class Whose(BaseModel):
    """Whose schedules are meant; for administrators."""

    model_config = ConfigDict(extra="forbid")

    tenant: Name | None = None
    owner: Name | None = None


class Page(Whose):
    """Whose schedules, and which part of them."""

    limit: int = Field(200, ge=1, le=200)
    cursor: str | None = Field(None, max_length=paging.CURSOR_LIMIT, description="From the page before.")


class Tenant(BaseModel):
    """Of which tenant a schedule is; for administrators."""

    model_config = ConfigDict(extra="forbid")

    tenant: Name | None = None


class Count(Tenant):
    """How many ticks."""

    count: int = Field(5, ge=1, le=100)


PageDep = Annotated[Page, Query()]
TenantDep = Annotated[Tenant, Query()]


def _body(model: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


@router.get("", responses=paging.LINKED)
async def list_(request: Request, principal: PrincipalDep, parts: PartsDep, wanted: PageDep) -> Response:
    """The caller's schedules, by tenant and name; `Link` leads to the next page."""
    tenant, owner = wanted.tenant, wanted.owner
    _check(tenant, owner)
    if not principal.sees_all:
        tenant, owner = principal.acting(tenant, owner)
    words = wanted.model_dump(include={"tenant", "owner"})
    book = paging.Pages(request, principal, "schedules", words)
    after = None
    if wanted.cursor is not None:
        last_tenant, last_name = book.open(wanted.cursor)
        after = (str(last_tenant), str(last_name))
    found = await parts.app.schedules.page(tenant, owner, limit=wanted.limit + 1, after=after)
    now = parts.app.clock.now_ms()
    body = {"schedules": [schedule_wire(one, now) for one in found[: wanted.limit]]}
    return book.answer(body, list(found[wanted.limit - 1].key) if len(found) > wanted.limit else None)


@router.post("", status_code=201, openapi_extra=_body(NewSchedule))
async def make(principal: PrincipalDep, parts: PartsDep, body: JsonBody) -> Response:
    """Make a schedule; a name that is taken is a conflict."""
    wanted = shaped(NewSchedule, body)
    return await _keep(principal, parts, wanted.name, wanted, replaces=False)


@router.put("/{name}", openapi_extra=_body(ScheduleRequest), responses={201: {"description": "It is new."}})
async def replace(principal: PrincipalDep, parts: PartsDep, name: str, body: JsonBody) -> Response:
    """Make a schedule or replace what it says; a pause stays, and so does an unchanged calendar."""
    return await _keep(principal, parts, name, shaped(ScheduleRequest, body), replaces=True)


async def _keep(
    principal: Principal, parts: Parts, name: str, wanted: ScheduleRequest, *, replaces: bool
) -> Response:
    given = {
        word: getattr(wanted, word)
        for word in wanted.model_fields_set - {"name"}
        if getattr(wanted, word) is not None
    }
    given["tenant"], given["owner"] = principal.acting(given.get("tenant"), given.get("owner"))
    schedule, created = await parts.app.schedules.keep(
        name,
        given.pop("task_type"),
        given.pop("input", {}),
        given,
        replaces=replaces,
        by=None if principal.sees_all else principal.owner,
    )
    return _answer(parts, schedule, 201 if created else 200)


def _answer(parts: Parts, schedule: Schedule, status: int = 200) -> Response:
    return JSONResponse(schedule_wire(schedule, parts.app.clock.now_ms()), status)


def _check(*words: str | None) -> None:
    """What no tenant and no owner can be called is not asked of a database."""
    for word in words:
        check_text(word or "", "tenant and owner", 64)


async def _known(principal: Principal, parts: Parts, name: str, wanted: Tenant) -> Schedule:
    """A schedule that the caller may see; for all others there is none."""
    _check(wanted.tenant)
    tenant, owner = principal.acting(wanted.tenant, None)
    return await parts.app.schedules.get((tenant, name), owner=None if principal.sees_all else owner)


@router.get("/{name}")
async def look(principal: PrincipalDep, parts: PartsDep, name: str, of: TenantDep) -> Response:
    """What it says, and how it stands."""
    return _answer(parts, await _known(principal, parts, name, of))


@router.delete("/{name}", status_code=204)
async def remove(principal: PrincipalDep, parts: PartsDep, name: str, of: TenantDep) -> Response:
    """Forget it; tasks that were submitted stay. One that the code declares can be paused only."""
    await parts.app.schedules.remove((await _known(principal, parts, name, of)).key)
    return Response(status_code=204)


@router.post("/{name}/pause")
async def pause(principal: PrincipalDep, parts: PartsDep, name: str, of: TenantDep) -> Response:
    """Stop its ticks; tasks that were submitted run on."""
    schedule = await _known(principal, parts, name, of)
    return _answer(parts, await parts.app.schedules.pause(schedule.key))


@router.post("/{name}/resume")
async def resume(principal: PrincipalDep, parts: PartsDep, name: str, of: TenantDep) -> Response:
    """Let it tick again; what fell into the pause is not made up for."""
    schedule = await _known(principal, parts, name, of)
    return _answer(parts, await parts.app.schedules.resume(schedule.key))


@router.post("/{name}/run", status_code=202)
async def run(caller: CallerDep, parts: PartsDep, name: str, of: TenantDep) -> Response:
    """Submit its task now, beside its ticks."""
    schedule = await _known(caller.principal, parts, name, of)
    task = await parts.app.schedules.run(schedule.key)
    place = f"{caller.request.scope.get('root_path', '')}/api/tasks/{task.id}"
    return caller.answer(task, 202, headers={"Location": place})


@router.get("/{name}/next")
async def coming(
    principal: PrincipalDep, parts: PartsDep, name: str, wanted: Annotated[Count, Query()]
) -> Response:
    """Its next ticks; of a paused one those it would have."""
    schedule = await _known(principal, parts, name, wanted)
    ticks = parts.app.schedules.upcoming(schedule, wanted.count)
    return JSONResponse({"name": schedule.name, "next": [iso(tick) for tick in ticks]})
