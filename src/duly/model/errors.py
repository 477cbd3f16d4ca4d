"""One tree of errors; an HTTP problem, a CLI line and a log line are three renderings of the same object.

    DulyError
    ├── InvalidInput                 what came in cannot be accepted (400 / 422, exit code 2)
    │   ├── MalformedJson            not JSON, or JSON that the three databases would not all keep
    │   ├── TooLarge                 over a size limit (413)
    │   ├── UnknownTaskType          no handler has that name
    │   ├── BatchTooLarge            a batch is larger than a quota (422)
    │   └── IdempotencyConflict      the same key with another body (422)
    ├── NotAllowed                   no or wrong credentials (401 / 403)
    ├── TaskNotFound                 no such task, or not yours (404)
    ├── ScheduleNotFound             no such schedule, or not yours (404)
    ├── QueueNotFound                no worker served it, nothing waits in it, nobody paused it (404)
    ├── LimitNotFound                nobody declared or set it (404)
    ├── GateNotFound                 no such model provider was asked or is configured (404)
    ├── KeyNotFound                  no such API key (404)
    ├── EndpointNotFound             no such endpoint, or not yours (404)
    ├── DeliveryNotFound             no such delivery, or not yours (404)
    ├── CallbackNotFound             no tracked job has this callback (404)
    ├── StateConflict                the task's state does not allow it (409)
    ├── QuotaExceeded                too many tasks of the owner or tenant wait to start (429)
    │   └── TooManyStreams           too many streams of this caller are open (429)
    ├── QueueFull                    too many tasks wait in the queue (503)
    ├── NotReady                     the database cannot be used now (503)
    │   ├── Moved                    sealed: the installation moves to another database
    │   ├── UnsupportedDatabase      engine too old, network file system, foreign schema
    │   └── SchemaOutdated           run `duly db upgrade`
    ├── CopyDiffers                  a copy is not like its source, though it was just written
    ├── BrokerAway                   Celery's broker cannot be reached; messages are sent again later
    ├── SessionEnded                 this worker's session was ended by another; it takes a new one
    ├── LeaseLost                    this attempt no longer owns its task; its writes change nothing
    ├── ReplayMismatch               the handler's code no longer matches the recorded steps
    ├── WaitTimeout                  no signal came in time; also a TimeoutError
    ├── TrackTimeout                 an external job did not end in time; a WaitTimeout
    ├── ChildFailed                  a child that was gathered failed or was cancelled
    ├── ItemsFailed                  some items of a map failed for good
    ├── ModelFailed, ModelAway, ModelPaused   a model gave no answer (`model.chat`)
    │   └── BudgetExceeded           it was not asked, for a budget is used up
    └── Fail, Retry, Snooze          raised by handlers (`model.outcome`)

A wrong setting is `duly.config.SettingsError`: configuration lies below this package.
"""

from __future__ import annotations

from typing import Any


class DulyError(Exception):
    """Something went wrong in Duly."""

    #: Stable, for programs: the problem's `code` over HTTP.
    code = "error"
    #: The HTTP status that renders it.
    http_status = 500

    def __init__(self, message: str = "", *, code: str | None = None, **fields: Any) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().split("\n")[0])
        self.message = str(self)
        self.fields = fields
        if code is not None:
            self.code = code


class InvalidInput(DulyError):
    """The input cannot be accepted; correct it and send it again."""

    code = "invalid_input"
    http_status = 422


class MalformedJson(InvalidInput):
    """The body is not the JSON that Duly accepts."""

    code = "malformed_json"
    http_status = 400


class TooLarge(InvalidInput):
    """The body is larger than the limit; send a reference or upload a file."""

    code = "too_large"
    http_status = 413


class UnknownTaskType(InvalidInput):
    """No handler is registered under this name; `duly doctor` lists those that are."""

    code = "unknown_task_type"


class BatchTooLarge(InvalidInput):
    """The batch holds more tasks than a quota allows to wait; send smaller batches."""

    code = "batch_too_large"


class IdempotencyConflict(InvalidInput):
    """This idempotency key was used with another body; send the first body or a new key."""

    code = "idempotency_conflict"


class NotAllowed(DulyError):
    """Credentials are missing or wrong; pass `Authorization: Bearer` with the token file's token."""

    code = "not_allowed"
    http_status = 401


class TaskNotFound(DulyError):
    """There is no such task."""

    code = "task_not_found"
    http_status = 404


class ScheduleNotFound(DulyError):
    """There is no such schedule."""

    code = "schedule_not_found"
    http_status = 404


class QueueNotFound(DulyError):
    """There is no such queue: no worker has served it and no task is in it."""

    code = "queue_not_found"
    http_status = 404


class KeyNotFound(DulyError):
    """There is no such API key."""

    code = "key_not_found"
    http_status = 404


class LimitNotFound(DulyError):
    """There is no such limit."""

    code = "limit_not_found"
    http_status = 404


class GateNotFound(DulyError):
    """There is no such gate."""

    code = "gate_not_found"
    http_status = 404


class EndpointNotFound(DulyError):
    """There is no such endpoint."""

    code = "endpoint_not_found"
    http_status = 404


class DeliveryNotFound(DulyError):
    """There is no such delivery."""

    code = "delivery_not_found"
    http_status = 404


class CallbackNotFound(DulyError):
    """There is no such callback."""

    code = "callback_not_found"
    http_status = 404


class StateConflict(DulyError):
    """The task's state does not allow this."""

    code = "state_conflict"
    http_status = 409


class QuotaExceeded(DulyError):
    """Too many tasks of this owner or tenant wait to start; send it again later."""

    code = "quota_exceeded"
    http_status = 429


class TooManyStreams(QuotaExceeded):
    """Too many streams of this caller are open here; close one, or share one among tabs."""

    code = "too_many_streams"


class QueueFull(DulyError):
    """Too many tasks wait in this queue; send it again later."""

    code = "queue_full"
    http_status = 503


class NotReady(DulyError):
    """The database cannot be used now; the call may be sent again."""

    code = "not_ready"
    http_status = 503


class Moved(NotReady):
    """This installation moves to another database; send the call again, there soon."""

    code = "moved"


class UnsupportedDatabase(NotReady):
    """Duly cannot keep its promise on this database."""

    code = "unsupported_database"


class SchemaOutdated(NotReady):
    """The database's schema is not this version's; run `duly db upgrade`."""

    code = "schema_outdated"


class BrokerAway(DulyError):
    """The broker cannot be reached now; what it should be told is told later."""

    code = "broker_away"


class CopyDiffers(DulyError):
    """The destination is not like the source, though its rows were just written."""

    code = "copy_differs"


class SessionEnded(DulyError):
    """This worker's session has ended; it takes a new one before it claims again."""

    code = "session_ended"


class LeaseLost(DulyError):
    """This attempt no longer owns its task; whatever it writes is discarded."""

    code = "lease_lost"


class ReplayMismatch(DulyError):
    """The handler no longer makes the calls that were recorded; restore the code or start a new task."""

    code = "replay_mismatch"


class WaitTimeout(DulyError, TimeoutError):
    """No signal came in time; pass `default=` to `ctx.wait_for`, or catch this."""

    code = "wait_timeout"


class TrackTimeout(WaitTimeout):
    """The external job did not end in time; give `ctx.track` a longer `timeout`, or catch this."""

    code = "track_timeout"


class ChildFailed(DulyError):
    """A child task failed or was cancelled; catch this, or gather with `policy="collect"`."""

    code = "child_failed"

    def __init__(self, message: str = "", *, child_id: str = "", **fields: Any) -> None:
        super().__init__(message, child_id=child_id, **fields)
        self.child_id = child_id


class ItemsFailed(DulyError):
    """Some items of a map failed for good; `result` has all others. Map with `policy="collect"` to go on."""

    code = "items_failed"

    def __init__(self, message: str = "", *, result: Any = None) -> None:
        super().__init__(message)
        self.result = result
