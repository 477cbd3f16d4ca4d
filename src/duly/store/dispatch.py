"""Which way a call takes to the database: through the writer's thread, or sent by the loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from duly.model.errors import NotReady
from duly.store.express import LARGE, Express
from duly.store.writer import Call

#: Calls of one turn that need not wait for more to go with.
ENOUGH = 32


class Dispatch:
    """Gathers the calls of one turn of a loop: each hand-over to the writer wakes its thread, which then
    stands in the way of the rest of the turn."""

    def __init__(self) -> None:
        self._write: Callable[[Sequence[Call]], None] | None = None
        self._express: Express | None = None
        self._turn: list[Call] = []
        self._home: asyncio.AbstractEventLoop | None = None
        self._even = False

    def open(self, write: Callable[[Sequence[Call]], None], express: Express | None) -> None:
        """From now on calls are taken."""
        self._write, self._express = write, express

    def close(self) -> None:
        """Hands over what was gathered; takes no more."""
        self._hand_over()
        if self._express is not None:
            self._express.stop()
        self._write = self._express = None

    def queue(self, call: Call) -> None:
        """What is large goes at once, and so does a claim: the database works on it meanwhile.

        Raises:
            NotReady: the database is not open.
        """
        if self._write is None:
            raise NotReady("the database is not open")
        if call.loop is None or not self._is_home(call.loop):
            self._write([call])
            return
        at_once = call.last or len(call.items) >= LARGE or self._fills_an_express()
        if not self._turn and not at_once:
            call.loop.call_soon(self._hand_over)
        self._turn.append(call)
        if at_once:
            self._hand_over()

    def _fills_an_express(self) -> bool:
        """With this one the turn has enough for a statement: the server works on it while the turn goes on. A
        writer's thread, which wants the interpreter too, would only stand in its way."""
        return self._express is not None and len(self._turn) + 1 >= ENOUGH

    def _is_home(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Turns are gathered for one loop, the first that lives: another's thread would meet this one's."""
        if self._home is None or self._home.is_closed():
            self._home = loop
            self._hand_over()  # what a closed loop left behind
        return self._home is loop

    def _hand_over(self) -> None:
        calls, self._turn = self._turn, []
        if self._express is not None:
            calls = [call for call in calls if not self._goes_by(self._express, call)]
            self._express.go()
        if calls and self._write is not None:
            self._write(calls)

    def _goes_by(self, express: Express, call: Call) -> bool:
        """Of large calls every other one: the server works on two at once."""
        if len(call.items) >= LARGE:
            self._even = not self._even
            if self._even:
                return False
        return express.take(call)
