"""The bodies of answers and webhooks as JSON Schema, for the API's description."""

from __future__ import annotations

from typing import Any

from duly.model.state import Status

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_TEXT_OR_NULL: Json = {"type": ["string", "null"]}
_TIME: Json = {"type": ["string", "null"], "format": "date-time"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_TASK_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_COUNTS: Json = {"type": "object", "additionalProperties": _COUNT}


def _object(properties: Json, *, optional: tuple[str, ...] = (), description: str = "") -> Json:
    required = [name for name in properties if name not in optional]
    said: Json = {"type": "object", "required": required, "properties": properties}
    return said | ({"description": description} if description else {})


def _list(name: str, item: Json, more: Json | None = None) -> Json:
    return _object({name: {"type": "array", "items": item}, **(more or {})})


_TASK = _object(
    {
        "id": {**_TEXT, "examples": [_TASK_ID]},
        "task_type": {**_TEXT, "examples": ["report"]},
        "status": {"type": "string", "enum": [status.value for status in Status]},
        "priority": {"type": "integer", "minimum": 1, "maximum": 10},
        "retry_count": _COUNT,
        "max_retries": _COUNT,
        "progress": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
        "progress_message": _TEXT_OR_NULL,
        "queue": _TEXT,
        "owner": _TEXT,
        "parent_id": _TEXT_OR_NULL,
        "tags": {"type": "array", "items": _TEXT},
        "created_at": {"type": "string", "format": "date-time"},
        "started_at": _TIME,
        "completed_at": _TIME,
        "due_at": _TIME,
        "deadline_at": _TIME,
        "expires_at": _TIME,
        "result": {"description": "What the handler returned; null until it has completed."},
        "error": {**_TEXT_OR_NULL, "description": "In the caller's language."},
        "error_code": _TEXT_OR_NULL,
        "metadata": {"type": "object"},
        "attempt": _COUNT,
        "code_version": _TEXT_OR_NULL,
        "cancel_requested": {"type": "boolean"},
        "batch": {**_COUNTS, "description": "Of a batch: total, and how many stand in each status."},
    },
    optional=("batch",),
    description="A task; terminal states are completed, failed and cancelled.",
)
_CURSOR: Json = {"next_cursor": {**_TEXT_OR_NULL, "description": "`cursor` of the next page."}}
_WINDOW: Json = {"limit": _COUNT, "offset": _COUNT, **_CURSOR}
_EVENT = _object({"seq": _COUNT, "type": _TEXT, "at": {"type": "string"}, "data": {"type": "object"}})
_REF: Json = {"$ref": "#/components/schemas/Task"}

SCHEMAS: Json = {
    "Task": _TASK,
    "Tasks": _list("tasks", _REF, _WINDOW),
    "Batches": _list("batches", _REF, _WINDOW),
    "AuditLines": _list("lines", {"type": "object"}, {"before": _TEXT_OR_NULL, **_CURSOR}),
    "Stats": _object({"stats": _COUNTS}),
    "Events": _list("events", _EVENT),
    "Deliveries": _list("deliveries", {"type": "object"}),
    "DeliveryPage": _list("deliveries", {"type": "object"}, _CURSOR),
    "Endpoints": _list("endpoints", {"type": "object"}, _CURSOR),
    "Keys": _list("keys", {"type": "object"}, _CURSOR),
    "Limits": _list("limits", {"type": "object"}, _CURSOR),
    "Queues": _list("queues", {"type": "object"}, _CURSOR),
    "Notifications": _list("notifications", {"type": "object"}, _CURSOR),
    "Schedules": _list("schedules", {"type": "object"}, _CURSOR),
    "Why": _object(
        {
            "task_id": _TEXT,
            "status": _TEXT,
            "summary": _TEXT,
            "reasons": {
                "type": "array",
                "items": _object({"code": _TEXT, "text": _TEXT, "data": {"type": "object"}}),
            },
        }
    ),
    "Upload": _object(
        {
            "blob": {**_TEXT, "pattern": "^[0-9a-f]{64}$", "description": "The SHA-256."},
            "name": _TEXT,
            "size": _COUNT,
            "content_type": _TEXT,
        },
        description="Goes into a task's input as it is.",
    ),
    "Link": _object({"url": _TEXT, "expires_at": {"type": "string", "format": "date-time"}}),
    "Retried": _object({"retried": _COUNT, "more": {"type": "boolean"}}),
    "Moved": _object({"moved": _COUNT, "more": {"type": "boolean"}}),
    "Cancelled": _object({"cancelled": _COUNT, "more": {"type": "boolean"}}),
}

#: The schema of an operation's body, by method and path.
ANSWERS: dict[tuple[str, str], str] = {
    ("post", "/api/tasks"): "Task",
    ("get", "/api/tasks"): "Tasks",
    ("get", "/api/tasks/stats"): "Stats",
    ("get", "/api/tasks/{task_id}"): "Task",
    ("delete", "/api/tasks/{task_id}"): "Task",
    ("post", "/api/tasks/{task_id}/cancel"): "Task",
    ("post", "/api/tasks/{task_id}/retry"): "Task",
    ("post", "/api/tasks/{task_id}/signals/{name}"): "Task",
    ("post", "/api/tasks/{task_id}/link"): "Link",
    ("get", "/api/tasks/{task_id}/why"): "Why",
    ("get", "/api/tasks/{task_id}/events"): "Events",
    ("get", "/api/tasks/{task_id}/deliveries"): "Deliveries",
    ("post", "/api/tasks/retry"): "Retried",
    ("post", "/api/tasks/cancel"): "Cancelled",
    ("post", "/api/tasks/move"): "Moved",
    ("post", "/api/batches"): "Task",
    ("post", "/api/bulk"): "Task",
    ("get", "/api/audit"): "AuditLines",
    ("get", "/api/batches"): "Batches",
    ("get", "/api/batches/{batch_id}"): "Task",
    ("post", "/api/uploads"): "Upload",
    ("get", "/api/notifications"): "Notifications",
    ("get", "/api/deliveries"): "DeliveryPage",
    ("get", "/api/endpoints"): "Endpoints",
    ("get", "/api/keys"): "Keys",
    ("get", "/api/limits"): "Limits",
    ("get", "/api/queues"): "Queues",
    ("get", "/api/schedules"): "Schedules",
    ("post", "/api/schedules/{name}/run"): "Task",
    ("post", "/api/queues/{name}/purge"): "Cancelled",
}


_ENDED = _object(
    {
        **_TASK["properties"],
        "result_omitted": {"const": True, "description": "The body would be over 20 kB: `result` is null."},
        "url": {**_TEXT, "description": "Then: where the task with its result is found on this server."},
    },
    optional=("batch", "result_omitted", "url"),
    description="The ended task, with its result or with where that is.",
)
_TESTED = _object({"endpoint_id": _TEXT, "message": _TEXT}, description="Of no task.")
SCHEMAS["EndedTask"] = _ENDED


def webhooks() -> Json:
    """What we send to webhooks and endpoints, in both forms: Standard Webhooks and CloudEvents."""
    ended: Json = {"$ref": "#/components/schemas/EndedTask"}
    told = {
        f"task.{status}": _webhook(f"task.{status}", f"A task has ended: {status}", ended)
        for status in Status
        if status.terminal
    }
    return {**told, "endpoint.test": _webhook("endpoint.test", "A test of an endpoint, on request", _TESTED)}


def _webhook(name: str, summary: str, data: Json) -> Json:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    forms = {"application/json": _standard(name, data), "application/cloudevents+json": _event(name, data)}
    told = {
        "summary": summary,
        "operationId": f"webhook_{name.replace('.', '_')}",
        "description": "Signed by Standard Webhooks 1.0.0 in both forms; the same webhook-id may come again.",
        "parameters": [{"name": one, "in": "header", "required": True, "schema": _TEXT} for one in names],
        "requestBody": {"required": True, "content": {kind: {"schema": one} for kind, one in forms.items()}},
        "responses": {"2XX": {"description": "Taken; anything else is tried again."}},
    }
    return {"post": told}


def _standard(name: str, data: Json) -> Json:
    moment = {"type": "string", "format": "date-time"}
    return _object({"type": {"const": name}, "timestamp": moment, "data": data})


def _event(name: str, data: Json) -> Json:
    """A CloudEvent 1.0 in structured mode; of a task, its `subject` is the task's id."""
    return _object(
        {
            "specversion": {"const": "1.0"},
            "id": {**_TEXT, "description": "The same as webhook-id."},
            "source": {**_TEXT, "format": "uri-reference"},
            "type": {"const": f"org.duly.{name}.v1"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "subject": {**_TEXT, "description": "The task's id; a test has none."},
            "data": data,
        },
        optional=("subject",),
    )
