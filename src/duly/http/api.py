"""`create_api` joins the routes, ours and the user's, behind one edge. Its lifecycle is `runtime`'s."""

from __future__ import annotations

import asyncio
import importlib
from functools import partial
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection

from duly.config import SettingsError
from duly.deliver.feed import Feed
from duly.deliver.watch import Watch
from duly.http import (
    audited,
    batches,
    bulk,
    callbacks,
    deliveries,
    endpoints,
    explained,
    files,
    gates,
    health,
    inbox,
    keys,
    limits,
    monitoring,
    openapi,
    pages,
    queues,
    scale,
    schedules,
    script,
    sessions,
    shares,
    sockets,
    streams,
    tasks,
    tickets,
    timeline,
    uploads,
    usage,
)
from duly.http.audited import Audited
from duly.http.crossing import Crossing
from duly.http.edge import BodyLimits, Harden, HeadAsGet, LoopbackOnly, Unexpected
from duly.http.headers import HeaderLimits
from duly.http.identity import Bearer, Principal, authenticate
from duly.http.parts import Parts, Ready
from duly.http.permissions import check_known
from duly.http.permits import Permits, Rationed
from duly.http.probe import Probe
from duly.http.problems import HANDLERS
from duly.http.seats import Seats
from duly.http.titles import title
from duly.model.limit import Rate
from duly.runtime.app import App

#: Pages of apps lie here; they are open to read, for a page cannot send a token before it is loaded.
PAGES = "/apps/"


def create_api(
    app: App, *, ready: Ready = lambda: (True, ""), stopping: asyncio.Event | None = None
) -> FastAPI:
    """The ASGI application of a started app.

    Args:
        app: a started `duly.runtime.app.App`; its lifecycle is not touched.
        ready: whether the other parts of the process are well, and if not, why.
        stopping: set it to end streams and waits before the server closes; also `api.state.stopping`.

    `api.state.title` titles the problems that the server tells by itself.

    Raises:
        SettingsError: routes that were declared and cannot be loaded.
    """
    api = FastAPI(
        title="Duly",
        version=version("duly"),
        summary="Accepted at once, done for sure, delivered to where the user is.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=_edge(app),
        exception_handlers=HANDLERS,
        form_limits={"max_files": 20, "max_fields": 100, "max_part_size": app.settings.body_limit},
    )
    api.state.stopping = stopping or asyncio.Event()
    api.state.title = partial(title, language="en")
    api.state.duly = Parts(
        app=app,
        ready=ready,
        probe=Probe(app),
        stopping=api.state.stopping,
        feed=Feed(app.database),
        watch=Watch(app.database),
        seats=Seats(app.settings.stream_limit),
    )
    operators = (bulk, queues, limits, gates, shares, scale, monitoring, keys, audited)
    live = (streams, sockets, tickets)
    callers = (timeline, tasks, batches, files, uploads, schedules, sessions, usage)
    delivered = (inbox, endpoints, deliveries)
    for part in (health, *live, *callers, *delivered, *operators, callbacks, explained, pages):
        check_known(part.router.routes)
        api.include_router(part.router)
    check_known(bulk.jobs.routes)
    api.include_router(bulk.jobs)
    for router in (script.router, pages.routes(app.declared.app_pages)):
        api.include_router(router)
    for spec in app.declared.route_specs:
        api.include_router(_load(spec), dependencies=[Depends(Closed())])
    openapi.install(api)
    return api


def _edge(app: App) -> list[Middleware]:
    """Outermost first."""
    settings = app.settings
    loopback = [Middleware(LoopbackOnly)] if settings.auth == "loopback" else []
    limits = Middleware(BodyLimits, body=settings.body_limit, upload=settings.upload_limit)
    ration = _ration(app)
    origins = settings.allowed_origins
    crossing = [Middleware(Crossing, origins=origins)] if origins else []
    first = [Middleware(HeadAsGet), Middleware(Unexpected), Middleware(HeaderLimits)]
    return [Middleware(Harden), *crossing, *first, *loopback, *ration, limits, Middleware(Audited)]


def _ration(app: App) -> list[Middleware]:
    if not app.settings.rate_limit:
        return []
    rate = Rate.parse(app.settings.rate_limit)
    return [Middleware(Rationed, permits=Permits(app, rate), rate=rate)]


class Closed(Bearer):
    """Closes a user's routes: without credentials only pages of apps can be read."""

    async def __call__(self, connection: HTTPConnection) -> Principal:
        if connection.scope.get("method") == "GET" and connection.scope["path"].startswith(PAGES):
            return Principal()
        return await authenticate(connection)


def _load(spec: str) -> APIRouter:
    module, _, name = spec.partition(":")
    try:
        router = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingsError([f"routes {spec}: {error}"]) from error
    if not isinstance(router, APIRouter):
        raise SettingsError([f"routes {spec}: a {type(router).__name__}, not an APIRouter"])
    return router
