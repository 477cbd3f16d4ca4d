"""What stands around every command: an expected error is one readable line per problem, never a traceback.

Exit codes: 0 done · 1 the task failed · 2 usage, configuration or input · 3 not ended within --wait ·
130 Ctrl-C.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup

TASK_FAILED = 1
WRONG = 2
NOT_ENDED = 3
INTERRUPTED = 130


class Refusal(Exception):
    """The command cannot do this; the message is the line that the user reads."""

    def __init__(self, message: str, *, code: int = WRONG) -> None:
        super().__init__(message)
        self.code = code


class Shell(TyperGroup):
    """The group of all commands; `duly` alone is `duly --help`."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - Typer's signature; we always end the process
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs a command and ends the process with its exit code."""
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(given, prog_name or "duly", complete_var, False, windows_expand_args, **extra)
        except Exception as error:  # noqa: BLE001 - what nobody expects is raised again
            code = told(error)
        except KeyboardInterrupt:
            code = INTERRUPTED
            complain("interrupted")
        sys.exit(code if isinstance(code, int) else 0)


def told(error: Exception) -> int:
    """Tells of an expected error; answers the exit code. An unexpected one is raised again: it is a bug."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return 0  # the group's help is the answer
    lines = problems(error)
    if not lines:
        raise error
    complain(*lines)
    return error.code if isinstance(error, Refusal) else WRONG


def complain(*lines: str) -> None:
    """Writes a line per problem to stderr."""
    for line in lines:
        print(f"duly: {' '.join(line.split())}", file=sys.stderr)


def problems(error: BaseException) -> list[str]:
    """The lines that tell of an expected error; none for one that nobody expects."""
    from duly.config import SettingsError
    from duly.model.errors import DulyError

    match error:
        case SettingsError():
            return error.problems
        case DulyError() | Refusal():
            return [str(error)]
        case OSError():
            return [_os_error(error)]
    if hasattr(error, "format_message"):
        return [_usage(error)]
    if type(error).__name__ == "Abort":
        return ["nothing was done"]
    return _database(error)


def _os_error(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def _usage(error: Any) -> str:
    """What Typer found wrong with the command line, and where its help is."""
    context = getattr(error, "ctx", None)
    help_ = f" (see {context.command_path} --help)" if context is not None else ""
    return f"{error.format_message()}{help_}"


def _database(error: BaseException) -> list[str]:
    """What a driver says outside of the store's own reads and writes: not a database, not writable."""
    from duly.store.sqlite import driver

    for one in (error, error.__cause__):
        if isinstance(one, driver.Error):
            return [f"the database cannot be used: {one}"]
    return []
