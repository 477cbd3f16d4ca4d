"""What each route needs: one table, by method and path. A route of ours that is not here refuses to start.

`identity` asks it with the route that the request has matched, so no router repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from duly.config import SettingsError
from duly.model.access import Scope

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: How a WebSocket's method is written here.
WEBSOCKET = "WS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a route needs, and how the audit log calls what it does."""

    #: None: it is open, or checks what it is called with on its own.
    scope: Scope | None
    #: Empty: it changes nothing.
    action: str = ""
    #: Whether a read token of this task opens it, in the address too.
    readable: bool = False
    #: Whether its line in the audit log may be written after the answer: a task is a record of itself.
    soon: bool = False
    #: Whether it writes its line on its own, in its own transaction.
    own: bool = False


_OPEN = Rule(scope=None)
_READ = Rule(scope=Scope.READ)
_ONE = Rule(scope=Scope.READ, readable=True)
_OPERATE = Rule(scope=Scope.OPERATE)
_ADMIN = Rule(scope=Scope.ADMIN)


def _writes(action: str, *, soon: bool = False) -> Rule:
    return Rule(scope=Scope.WRITE, action=action, soon=soon)


def _operates(action: str) -> Rule:
    return Rule(scope=Scope.OPERATE, action=action)


def _administers(action: str) -> Rule:
    return Rule(scope=Scope.ADMIN, action=action, own=True)


RULES: dict[str, Rule] = {
    "GET /livez": _OPEN,
    "GET /readyz": _OPEN,
    "GET /health": _OPEN,
    "GET /problems": _OPEN,
    "GET /problems/{name}": _OPEN,
    # The signature in its address is the credential.
    "GET /api/links/{task_id}/{what}": _OPEN,
    "GET /api/tasks/{task_id}/result": _ONE,
    "GET /api/tasks/{task_id}/files/{sha256}": _ONE,
    "POST /api/tasks/{task_id}/link": Rule(scope=Scope.READ, action="task.link"),
    "GET /api/batches": _READ,
    "GET /api/apps": _READ,
    "GET /api/events": _READ,
    "GET /api/batches/{batch_id}/events": _READ,
    "POST /api/tickets": Rule(scope=Scope.READ, action="ticket.issue"),
    "WS /ws/tasks": _READ,
    "WS /ws/notifications": _READ,
    "GET /metrics/scale": _OPERATE,
    "GET /api/monitoring": _OPERATE,
    # The secret in its address is the credential.
    "POST /api/callbacks/{task_id}/{name}/{secret}": Rule(scope=None, action="callback.keep", soon=True),
    "POST /api/session": Rule(scope=None, action="session.begin"),
    "GET /api/session": _OPEN,
    "DELETE /api/session": Rule(scope=None, action="session.end"),
    "GET /api/keys": _ADMIN,
    "POST /api/keys": _administers("key.create"),
    "POST /api/keys/{key_id}/rotate": _administers("key.rotate"),
    "DELETE /api/keys/{key_id}": _administers("key.revoke"),
    "GET /api/audit": _ADMIN,
    "GET /api/tasks": _READ,
    "GET /api/tasks/stats": _READ,
    "GET /api/tasks/{task_id}": _ONE,
    "GET /api/tasks/{task_id}/events": _ONE,
    "GET /api/tasks/{task_id}/why": _READ,
    "GET /api/tasks/{task_id}/deliveries": _READ,
    "POST /api/tasks/{task_id}/token": Rule(scope=Scope.READ, action="task.token"),
    "POST /api/tasks": _writes("task.submit", soon=True),
    "POST /api/uploads": _writes("upload.keep", soon=True),
    "POST /api/tasks/{task_id}/cancel": _writes("task.cancel"),
    "DELETE /api/tasks/{task_id}": _writes("task.cancel"),
    "POST /api/tasks/{task_id}/retry": _writes("task.retry"),
    "POST /api/tasks/{task_id}/signals/{name}": _writes("task.signal"),
    "POST /api/tasks/retry": _writes("tasks.retry"),
    "POST /api/tasks/cancel": _writes("tasks.cancel"),
    "POST /api/tasks/move": _operates("tasks.move"),
    "POST /api/batches": _writes("batch.submit", soon=True),
    "POST /api/bulk": _writes("bulk.begin", soon=True),
    "GET /api/batches/{batch_id}": _READ,
    "GET /api/notifications": _READ,
    "GET /api/notifications/stats": _READ,
    "POST /api/notifications/read": _writes("notifications.read"),
    "GET /api/endpoints": _READ,
    "POST /api/endpoints": _writes("endpoint.create"),
    "GET /api/endpoints/{endpoint_id}": _READ,
    "PATCH /api/endpoints/{endpoint_id}": _writes("endpoint.change"),
    "DELETE /api/endpoints/{endpoint_id}": _writes("endpoint.remove"),
    "POST /api/endpoints/{endpoint_id}/rotate": _writes("endpoint.rotate"),
    "POST /api/endpoints/{endpoint_id}/enable": _writes("endpoint.enable"),
    "POST /api/endpoints/{endpoint_id}/disable": _writes("endpoint.disable"),
    "POST /api/endpoints/{endpoint_id}/test": _writes("endpoint.test"),
    "POST /api/endpoints/{endpoint_id}/resend": _writes("endpoint.resend"),
    "GET /api/deliveries": _READ,
    "GET /api/deliveries/{delivery_id}": _READ,
    "POST /api/deliveries/{delivery_id}/resend": _writes("delivery.resend"),
    "GET /api/schedules": _READ,
    "POST /api/schedules": _writes("schedule.make"),
    "GET /api/schedules/{name}": _READ,
    "PUT /api/schedules/{name}": _writes("schedule.replace"),
    "DELETE /api/schedules/{name}": _writes("schedule.remove"),
    "POST /api/schedules/{name}/pause": _writes("schedule.pause"),
    "POST /api/schedules/{name}/resume": _writes("schedule.resume"),
    "POST /api/schedules/{name}/run": _writes("schedule.run"),
    "GET /api/schedules/{name}/next": _READ,
    "GET /api/queues": _OPERATE,
    "GET /api/queues/{name}": _OPERATE,
    "POST /api/queues/{name}/pause": _operates("queue.pause"),
    "POST /api/queues/{name}/resume": _operates("queue.resume"),
    "POST /api/queues/{name}/purge": _operates("queue.purge"),
    "GET /api/shares": _OPERATE,
    "PUT /api/shares": _operates("share.put"),
    "DELETE /api/shares": _operates("share.clear"),
    "GET /api/gates": _READ,
    "GET /api/gates/{name}": _READ,
    "POST /api/gates/{name}/close": _operates("gate.close"),
    "POST /api/gates/{name}/open": _operates("gate.open"),
    "GET /api/usage": _READ,
    "GET /api/limits": _OPERATE,
    "GET /api/limits/{name}": _OPERATE,
    "PUT /api/limits/{name}": _operates("limit.put"),
    "DELETE /api/limits/{name}": _operates("limit.clear"),
}


def rule_of(connection: HTTPConnection) -> Rule:
    """The rule of the route that was matched; a route of an app writes or reads, by its method."""
    method, path = _matched(connection)
    known = RULES.get(f"{method} {path}")
    if known is not None:
        return known
    if method in SAFE:
        return _READ
    return Rule(scope=Scope.WRITE, action=f"{method} {path}"[:100])


def _matched(connection: HTTPConnection) -> tuple[str, str]:
    path = getattr(connection.scope.get("route"), "path_format", "")
    return connection.scope.get("method", WEBSOCKET), path


def check_known(routes: Iterable[BaseRoute]) -> None:
    """Refuses routes of ours that have no rule.

    Raises:
        SettingsError: names them.
    """
    missing = [name for route in routes for name in names(route) if name not in RULES]
    if missing:
        raise SettingsError([f"http/permissions.py does not say what {name} needs" for name in missing])


def names(route: Any) -> list[str]:
    """How a route's operations are called in the table."""
    methods = getattr(route, "methods", None) or {WEBSOCKET}
    return [f"{method} {route.path_format}" for method in sorted(methods - {"HEAD"})]
