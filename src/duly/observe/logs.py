"""The one subscriber that logs: stages emit named events, this writes a line for each, logfmt or JSON.

Nothing is configured at import; the composition root makes a `Log`. Only the standard library is
imported, for the supervising parent logs too. How a line is written stands in `observe.lines`.
"""

from __future__ import annotations

import abc
import contextlib
import functools
import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duly.clock import SystemClock
from duly.model.events import current_task
from duly.observe.lines import FORMATS, LineFormatter

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_clock = SystemClock()
_NAME_OF = {number: name for name, number in LEVELS.items()}

#: The level of an event: by its whole name, else by its last word, else by the end of that word
#: (`attempt.record_failed` is `failed`). What is nowhere is info.
LEVEL_OF = {
    "attempt.broken": "error",
    "attempt.ignores_stop": "warning",
    "attempt.replays": "debug",
    "attempt.retry": "warning",
    "attempt.started": "debug",
    "broker.away": "warning",
    "broker.sent": "debug",
    "celery.died": "error",
    "child.died": "error",
    "child.restarting": "warning",
    "installation.moved": "warning",
    "journal.waiting": "warning",
    "message.dropped": "debug",
    "message.waiting": "warning",
    "quarantine.died": "error",
    "quarantine.restarting": "warning",
    "step.recorded": "debug",
    "store.call_failed": "error",
    "store.group_split": "warning",
    "store.reconnecting": "warning",
    "store.sealed": "warning",
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
    "silent": "warning",
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


class AcceptFilter(logging.Filter):
    """Lets asyncio say once a second that it has no descriptor for another connection: it says so tens of
    thousands of times."""

    _last = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """False: it was said just now."""
        if record.name != "asyncio" or not str(record.msg).startswith("socket.accept() out of system"):
            return True
        if 0 <= record.created - self._last < 1:
            return False
        self._last = record.created
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
        self._handler = _handler(file, LineFormatter(format))
        self._handler.addFilter(TaskFilter())
        self._handler.addFilter(AcceptFilter())
        _remove_ours()
        self._logger.addHandler(self._handler)
        self._logger.setLevel(self._level)
        self._logger.propagate = False

    def emit(self, name: str, /, **fields: Any) -> None:
        """Logs one event; never raises. A field `level` overrides the table's."""
        level = LEVELS.get(str(fields["level"])) if "level" in fields else None
        if level is None:
            level = level_of(name)
        else:
            fields.pop("level")
        if not self._logger.isEnabledFor(level):
            return
        task_id = fields.pop("task_id", None)
        if self._logger.handlers == [self._handler] and not self._logger.filters:
            self._handler.say(level, name, task_id or current_task.get(), fields)
        else:  # somebody else reads too
            extra = {"task_id": task_id, "duly_event": name, "duly_fields": fields}
            self._logger.handle(self._logger.makeRecord("duly", level, "", 0, name, (), None, None, extra))

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


class _Ours(logging.Handler, abc.ABC):
    """Writes the lines of one turn of an event loop with one call: a system call per line would let other
    threads in between each time. Elsewhere, and from warnings on, each line is written at once.
    """

    def __init__(self, formatter: LineFormatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._events = formatter
        self._lines: list[str] = []
        self._loop: AbstractEventLoop | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record of the standard library."""
        self._take(record.levelno, lambda: self.format(record))

    def say(self, level: int, event: str, task_id: str | None, fields: dict[str, Any]) -> None:
        """Writes an event for which nobody but us wants a record: that is half the time of a line."""
        name = _NAME_OF[level]
        self._take(level, lambda: self._events.line(_clock.now_ms(), name, event, task_id, fields))

    def _take(self, level: int, line: Callable[[], str]) -> None:
        try:
            with self.lock or contextlib.nullcontext():
                later = level < logging.WARNING and self._comes_by()
                self._lines.append(line() + "\n")
                if not later:
                    self.flush()
        except Exception:  # noqa: BLE001 - as the handlers of the standard library do
            self.handleError(logging.makeLogRecord({"msg": "a line could not be written"}))

    def _comes_by(self) -> bool:
        """Whether a loop will flush; asked for by the first line of its turn."""
        asyncio = sys.modules.get("asyncio")  # heavy: whoever has a loop has imported it
        if asyncio is None:
            return False
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if loop is not self._loop or not self._lines:
            self._loop = loop
            loop.call_soon(self.flush)
        return True

    def flush(self) -> None:
        """Writes what has gathered."""
        with self.lock or contextlib.nullcontext():
            text = "".join(self._lines)
            self._lines.clear()
            if text:
                self._write(text)

    @abc.abstractmethod
    def _write(self, text: str) -> None:
        """Puts whole lines where they belong, at once."""

    def forget(self) -> None:
        """Drops what has gathered."""
        self._lines.clear()

    def close(self) -> None:
        """Writes the rest."""
        with contextlib.suppress(Exception):
            self.flush()
        super().close()


class _File(_Ours):
    """A file that rotation may move: it is looked for before each write."""

    def __init__(self, formatter: LineFormatter, path: Path) -> None:
        super().__init__(formatter)
        self._file = WatchedFileHandler(path, encoding="utf-8", errors="backslashreplace")

    def _write(self, text: str) -> None:
        self._file.reopenIfNeeded()
        if self._file.stream:
            self._file.stream.write(text)
            self._file.flush()

    def close(self) -> None:
        super().close()
        self._file.close()


class _Stderr(_Ours):
    """Writes to what stderr is at that moment, as `logging.lastResort` does."""

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _handler(file: str, formatter: LineFormatter) -> _Ours:
    return _File(formatter, Path(file).expanduser()) if file else _Stderr(formatter)


def _ours() -> Iterator[tuple[logging.Logger, _Ours]]:
    for logger in (logging.getLogger("duly"), logging.getLogger()):
        for handler in tuple(logger.handlers):
            if isinstance(handler, _Ours):
                yield logger, handler


def _remove_ours() -> None:
    for logger, handler in _ours():
        logger.removeHandler(handler)
        handler.close()


def _forget_lines() -> None:
    """In a fork: its parent writes them."""
    for _, handler in _ours():
        handler.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_lines)
