"""One PostgreSQL connection that an event loop drives by itself: no thread stands between it and the socket.

libpq's own asynchronous calls, one statement at a time; notices of other sessions arrive in between.
"""

from __future__ import annotations

import asyncio
import re
import select
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from duly.store.driver import Told
from duly.store.transaction import Row, script

_INT8 = 20
_UNKNOWN = 0
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_GOOD = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)


class LoopLine:
    """As `store.driver.Line` says."""

    #: On the channel of `store.notices`.
    hint = "NOTIFY duly"

    def __init__(self, connection: psycopg.Connection[Any], *, clock: str) -> None:
        connection.execute("LISTEN duly")
        self.clock = clock
        self._connection = connection
        self._pgconn = connection.pgconn
        self._pgconn.nonblocking = 1
        self._socket = self._pgconn.socket
        self._rows = Transformer(connection)
        self._prepared: dict[str, tuple[bytes, list[str]]] = {}
        self._told: Told | None = None
        self._next: Callable[[], None] | None = None
        self._answer: list[Row] | Exception = []
        self._loop: asyncio.AbstractEventLoop
        self._heard: Callable[[], None]
        self._lost: Callable[[], None]

    def attach(
        self, loop: asyncio.AbstractEventLoop, *, heard: Callable[[], None], lost: Callable[[], None]
    ) -> None:
        """From now on the loop drives it."""
        self._loop, self._heard, self._lost = loop, heard, lost
        loop.add_reader(self._socket, self._read)

    @property
    def busy(self) -> bool:
        """Whether a statement is under way."""
        return self._told is not None

    def run(self, name: str, parameters: Mapping[str, Any], told: Told) -> None:
        """Runs the one statement of `sql/postgres/<name>.sql`, which is prepared the first time."""
        self._told = told
        if name not in self._prepared:
            self._prepare(name, parameters)
            return
        self._execute(name, parameters)

    def say(self, statement: str, told: Told) -> None:
        """Runs a statement as it stands."""
        self._told = told
        self._send(self._pgconn.send_query, statement.encode())

    def wait(self, seconds: float) -> None:
        """Without the loop: until the answer under way is here, or this long."""
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        while self.busy and ready.poll(seconds * 1000):
            self._read()

    def close(self) -> None:
        """Ends it; an answer under way never comes."""
        self._told = None
        self._detach()
        self._connection.close()

    def _detach(self) -> None:
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _prepare(self, name: str, parameters: Mapping[str, Any]) -> None:
        [statement] = script("postgres", name)
        names = list(dict.fromkeys(_PLACEHOLDER.findall(statement)))
        text = _PLACEHOLDER.sub(lambda found: f"${names.index(found[1]) + 1}", statement).replace("%%", "%")
        types = [_INT8 if isinstance(parameters[one], int) else _UNKNOWN for one in names]
        self._prepared[name] = (name.encode(), names)
        self._next = lambda: self._execute(name, parameters)
        self._send(self._pgconn.send_prepare, name.encode(), text.encode(), types)

    def _execute(self, name: str, parameters: Mapping[str, Any]) -> None:
        key, names = self._prepared[name]
        values = [None if (one := parameters[each]) is None else str(one).encode() for each in names]
        self._send(self._pgconn.send_query_prepared, key, values)

    def _send(self, send: Callable[..., None], *arguments: Any) -> None:
        self._answer = []
        try:
            send(*arguments)
            self._flush()
        except psycopg.Error as error:
            self._break(error)

    def _flush(self) -> None:
        if self._pgconn.flush():
            self._loop.add_writer(self._socket, self._write)

    def _write(self) -> None:
        self._loop.remove_writer(self._socket)
        try:
            self._flush()
        except psycopg.Error as error:
            self._break(error)

    def _read(self) -> None:
        pgconn = self._pgconn
        try:
            pgconn.consume_input()
            while self._told is not None and not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    self._settle()
                else:
                    self._take(result)
            self._hear()
        except psycopg.Error as error:
            self._break(error)

    def _hear(self) -> None:
        heard = False
        while (notice := self._pgconn.notifies()) is not None:
            heard = heard or notice.be_pid != self._pgconn.backend_pid
        if heard:
            self._heard()

    def _take(self, result: Any) -> None:
        if result.status not in _GOOD:
            self._answer = psycopg.errors.error_from_result(result)
        elif result.ntuples:
            self._rows.set_pgresult(result)
            self._answer = self._rows.load_rows(0, result.ntuples, tuple)

    def _settle(self) -> None:
        """The statement is over; after a PREPARE comes the statement itself."""
        next_, self._next = self._next, None
        if next_ is not None and not isinstance(self._answer, Exception):
            next_()
            return
        told, self._told = self._told, None
        if told is not None:
            told(self._answer)

    def _break(self, error: Exception) -> None:
        self._detach()
        told, self._told = self._told, None
        self._lost()
        if told is not None:
            told(error)
