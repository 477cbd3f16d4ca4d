"""Durable tasks for long-running AI work, on SQLite, PostgreSQL and MariaDB. The flow of one task:

1 submit    accepts a request: validated, deduplicated, on stable storage before the answer
2 store     keeps every fact; one writer per process, every verb fenced
3 claim     hands a due task to a worker with a free slot; rescues those whose worker died
4 execute   runs the handler; steps are remembered, outcomes become transitions
5 deliver   tells the user: the outbox committed with the result
6 observe   shows it: logs, timelines, and why a task is not running
`runtime` joins them, `http` and `cli` are thin, `testing` is for your own tests.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duly.execute.context import BlockingContext, Context
    from duly.model.errors import ChildFailed, DulyError, InvalidInput, ItemsFailed, TaskNotFound, WaitTimeout
    from duly.model.outcome import Fail, Retry, Snooze
    from duly.model.policy import Polling
    from duly.model.state import Status
    from duly.model.task import Task
    from duly.runtime.declare import Duly

__all__ = [
    "BlockingContext",
    "ChildFailed",
    "Context",
    "Duly",
    "DulyError",
    "Fail",
    "InvalidInput",
    "ItemsFailed",
    "Polling",
    "Retry",
    "Snooze",
    "Status",
    "Task",
    "TaskNotFound",
    "WaitTimeout",
]

_HOMES = {
    "BlockingContext": "duly.execute.context",
    "ChildFailed": "duly.model.errors",
    "Context": "duly.execute.context",
    "Duly": "duly.runtime.declare",
    "DulyError": "duly.model.errors",
    "Fail": "duly.model.outcome",
    "InvalidInput": "duly.model.errors",
    "ItemsFailed": "duly.model.errors",
    "Polling": "duly.model.policy",
    "Retry": "duly.model.outcome",
    "Snooze": "duly.model.outcome",
    "Status": "duly.model.state",
    "Task": "duly.model.task",
    "TaskNotFound": "duly.model.errors",
    "WaitTimeout": "duly.model.errors",
}


def __getattr__(name: str) -> Any:
    """Loads a public name on first use: `duly --help` and the supervising parent need almost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'duly' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
