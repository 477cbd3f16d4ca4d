"""/api/session: a browser signs in with a token, learns who it is, signs out; and read tokens of one task."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.clock import iso
from duly.http import cookies, jwts
from duly.http.caller import CallerDep
from duly.http.gate import read_object, shaped
from duly.http.identity import KEPT, bearer, identify
from duly.http.parts import PartsDep
from duly.http.principal import Forbidden, Principal
from duly.http.queues import json_body
from duly.model.errors import NotAllowed
from duly.runtime.app import App
from duly.store import logins

router = APIRouter(tags=["session"])


class SessionRequest(BaseModel):
    """The token that the browser's user has pasted; or it stands in the header Authorization."""

    model_config = ConfigDict(extra="forbid", strict=True)

    token: str = Field(max_length=8192, description="The token, an API key, or a JWT.")


class ReadTokenRequest(BaseModel):
    """How long a read token is good."""

    model_config = ConfigDict(extra="forbid", strict=True)

    seconds: int = Field(300, ge=1, le=3600, description="For so long.")


@router.post("/api/session", openapi_extra=json_body(SessionRequest, required=False))
async def begin(request: Request, parts: PartsDep) -> Response:
    """Sign in with a token: a cookie for this browser, and the CSRF token that its pages send."""
    principal = await _presented(request, parts.app)
    if principal.task_id is not None:
        raise Forbidden("a read token opens one task, not a session")
    request.scope[KEPT] = principal
    login_id, value, seconds = await cookies.begin(parts.app, principal)
    answer = JSONResponse(_wire(parts.app, principal, login_id, parts.app.clock.now_ms() + seconds * 1000))
    cookies.put_cookie(answer, request, value, seconds)
    return answer


@router.get("/api/session")
async def look(request: Request, parts: PartsDep) -> Response:
    """Who has signed in with this browser, and its CSRF token; `signed_in` is false when nobody has."""
    try:
        principal = await identify(request)
    except NotAllowed:
        return JSONResponse({"signed_in": False})  # no refusal: a page asks this before anybody could sign in
    if principal.login_id is None and principal.credential != "loopback":
        return JSONResponse({"signed_in": False})
    return JSONResponse(_wire(parts.app, principal, principal.login_id, principal.expires_at))


@router.delete("/api/session")
async def end(request: Request, parts: PartsDep) -> Response:
    """Sign out: the session cannot be used any more, from the answer on."""
    principal = await identify(request)
    if principal.login_id is not None:
        await parts.app.database.write(logins.end, principal.login_id)
    answer = JSONResponse({"ended": principal.login_id is not None})
    cookies.put_cookie(answer, request, "", 0)
    return answer


@router.post(
    "/api/tasks/{task_id}/token",
    status_code=201,
    openapi_extra=json_body(ReadTokenRequest, required=False),
)
async def read_token(caller: CallerDep, parts: PartsDep, task_id: str) -> Response:
    """A token that reads this task, its events and its result, and nothing else; as ?access_token= too."""
    body = await read_object(caller.request) if await caller.request.body() else {}
    seconds = shaped(ReadTokenRequest, body).seconds
    task = await caller.task(task_id, result=False)
    now = parts.app.clock.now_ms()
    claims = {"sub": task.owner, "tenant": task.tenant, "task": task.id}
    secret = parts.app.credentials.jwt_secret
    token = jwts.signed(secret, jwts.READ_TYPE, claims, now=now / 1000, seconds=seconds)
    until = iso((now // 1000 + seconds) * 1000)
    return JSONResponse({"token": token, "task_id": task.id, "expires_at": until}, 201)


async def _presented(request: Request, app: App) -> Principal:
    """Who signs in: by the header, or by the body, which must be sound in any case; never by a cookie."""
    body = shaped(SessionRequest, await read_object(request)) if await request.body() else None
    if app.settings.auth == "loopback" or request.headers.get("authorization"):
        return await identify(request)
    if body is None:
        raise NotAllowed
    return await bearer(app, body.token)


def _wire(app: App, principal: Principal, login_id: str | None, expires_at: int | None) -> dict[str, Any]:
    token = "" if login_id is None else cookies.csrf(app, login_id)
    return {"signed_in": True, "csrf": token, **principal.wire(), "expires_at": iso(expires_at)}
