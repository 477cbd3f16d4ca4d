"""The audit log of what the command line does at the database itself; a server's API writes its own."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from duly.runtime.app import App
from duly.store import audit
from duly.store.audit import Entry

P = ParamSpec("P")
T = TypeVar("T")
Method = Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]


class Local(Protocol):
    """A part of the desk at the database."""

    @property
    def _app(self) -> App: ...


def who() -> Entry:
    """The user of this machine, in the audit log."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = ""
    return Entry(action="", owner=user[:64], credential="cli")


async def tell(app: App, action: str, what: str) -> None:
    """Writes a line: this was done to that."""
    await app.database.write(audit.add, replace(who(), action=action, object=what[:500]))


def traced(action: str, *, places: int = 1, made: str = "") -> Callable[[Method[P, T]], Method[P, T]]:
    """Has a method write its line once it has done its work.

    Args:
        action: as `http.permissions` calls it; `{1}` is the second argument.
        places: how many of the first arguments name what it was done to.
        made: the name's place in the answer instead.
    """

    def writing(method: Method[P, T]) -> Method[P, T]:
        @wraps(method)
        async def call(self: Local, /, *args: P.args, **named: P.kwargs) -> T:
            answer = await method(self, *args, **named)
            what = answer[made] if made else "/".join(map(_name, args[:places]))  # type: ignore[index]
            await tell(self._app, action.format(*args), what)
            return answer

        return call

    return writing


def _name(argument: object) -> str:
    """An id or a name; of a schedule's key the name."""
    return str(argument[-1] if isinstance(argument, tuple) else argument)
