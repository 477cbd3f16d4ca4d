"""The one subscriber that logs: stages emit named events, this writes a line for each, logfmt or JSON.

Nothing is configured at import; the composition root makes a `Log`. Only the standard library is
imported, for the supervising parent logs too. How a line is written stands in `observe.lines`.
"""

from __future__ import annotations

import functools
import logging
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

from duly.model.events import current_task
from duly.observe.lines import FORMATS, LineFormatter

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

#: The level of an event: by its whole name, else by its last word, else by the end of that word
#: (`attempt.record_failed` is `failed`). What is nowhere is info.
LEVEL_OF = {
    "attempt.broken": "error",
    "attempt.ignores_stop": "warning",
    "attempt.replays": "debug",
    "attempt.retry": "warning",
    "attempt.started": "debug",
    "attempt.waiting": "warning",
    "child.died": "error",
    "child.restarting": "warning",
    "journal.waiting": "warning",
    "quarantine.died": "error",
    "quarantine.restarting": "warning",
    "step.recorded": "debug",
    "store.call_failed": "error",
    "store.group_split": "warning",
    "store.reconnecting": "warning",
    "store.wake_failed": "debug",
    "supervisor.failed": "error",
    "task.unknown_claim": "warning",
    "worker.stuck_handler": "error",
    "worker.unready": "error",
    "broken": "error",
    "dead": "error",
    "error": "error",
    "expired": "warning",
    "failed": "warning",
    "killed": "error",
    "lost": "warning",
    "refused": "warning",
    "unready": "warning",
    "warning": "warning",
}

#: Libraries that would tell of each request; in a process of ours they speak from warning upwards.
CHATTY = ("httpx2", "httpcore2", "asyncio")


class TaskFilter(logging.Filter):
    """Gives every record the id of the task that the code which logs belongs to; lets all pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Runs on the thread that logs, where the context is known."""
        if getattr(record, "task_id", None) is None:
            record.task_id = current_task.get()
        return True


class Log:
    """Writes a line per event to stderr or to a file that rotation may move; `emit` is an `Emit`.

    The last one made in a process is the one that writes: a second does not double the lines.
    """

    def __init__(self, format: str, level: str, file: str = "") -> None:  # noqa: A002 - the setting's name
        if format not in FORMATS or level not in LEVELS:
            known = f"{' or '.join(FORMATS)}, from {', '.join(LEVELS)}"
            raise ValueError(f"a log is {known}; not {format!r}, {level!r}")
        self._logger = logging.getLogger("duly")
        self._level = LEVELS[level]
        self._handler = _handler(file)
        self._handler.setFormatter(LineFormatter(format))
        self._handler.addFilter(TaskFilter())
        _remove_ours()
        self._logger.addHandler(self._handler)
        self._logger.setLevel(self._level)
        self._logger.propagate = False

    def emit(self, name: str, /, **fields: Any) -> None:
        """Logs one event; never raises. A field `level` overrides the table's."""
        level = LEVELS.get(str(fields.get("level")))
        if level is None:
            level = level_of(name)
        else:
            fields.pop("level")
        if self._logger.isEnabledFor(level):
            extra = {"task_id": fields.pop("task_id", None), "duly_event": name, "duly_fields": fields}
            self._logger.log(level, "%s", name, extra=extra)

    def adopt(self) -> None:
        """Takes over the records of all other loggers too; for a process that Duly started itself."""
        root = logging.getLogger()
        if self._handler not in root.handlers:
            root.addHandler(self._handler)
        root.setLevel(self._level)
        for name in CHATTY:
            logging.getLogger(name).setLevel(max(self._level, logging.WARNING))

    def close(self) -> None:
        """Writes no more; Duly's records go to the host's handlers again."""
        if self._handler in self._logger.handlers:
            _remove_ours()
            self._logger.propagate = True


@functools.lru_cache(maxsize=1024)
def level_of(name: str) -> int:
    """The logging level of an event."""
    last = name.rpartition(".")[2]
    found = (LEVEL_OF.get(key) for key in (name, last, last.rpartition("_")[2]))
    return LEVELS[next((level for level in found if level), "info")]


class _Ours:
    """Marks the handlers that a `Log` made, so that the next one can take them away."""


class _File(_Ours, WatchedFileHandler):
    pass


class _Stderr(_Ours, logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment, as `logging.lastResort` does."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def _handler(file: str) -> logging.Handler:
    if not file:
        return _Stderr()
    return _File(Path(file).expanduser(), encoding="utf-8", errors="backslashreplace")


def _remove_ours() -> None:
    for logger in (logging.getLogger("duly"), logging.getLogger()):
        for handler in [one for one in logger.handlers if isinstance(one, _Ours)]:
            logger.removeHandler(handler)
            handler.close()
