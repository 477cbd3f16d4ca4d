"""One PostgreSQL connection that an event loop drives by itself: no thread stands between it and the socket.

libpq's own asynchronous calls in its pipeline mode: the server begins the next statement while the answer to
the last one is read. A synchronisation follows each, so that each is a transaction, and fails, by itself.
Notices of other sessions arrive in between.
"""

from __future__ import annotations

import asyncio
import re
import select
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from duly.store.driver import Told
from duly.store.network import ANSWER_SECONDS, NoAnswer
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
        self._pgconn.enter_pipeline_mode()
        self._socket = self._pgconn.socket
        self._rows = Transformer(connection)
        self._prepared: dict[str, tuple[bytes, list[str]]] = {}
        #: Who waits for the answers, and which statement is prepared on the way.
        self._sent: deque[tuple[Told, str | None]] = deque()
        self._answer: list[Row] | Exception = []
        #: When the server last said something, or had nothing to say; and when its silence is looked at.
        self._news_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
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
    def under_way(self) -> int:
        """How many statements have not been answered."""
        return len(self._sent)

    def run(self, name: str, parameters: Mapping[str, Any], told: Told, *, hint: bool = False) -> None:
        """Runs the one statement of `sql/postgres/<name>.sql`, which is prepared the first time; with `hint`
        its commit is what others hear of."""
        new = name not in self._prepared
        self._expect(told, name if new else None)
        try:
            if new:
                self._prepare(name, parameters)
            key, names = self._prepared[name]
            values = [None if (one := parameters[each]) is None else str(one).encode() for each in names]
            self._pgconn.send_query_prepared(key, values)
            if hint:
                self._pgconn.send_query_params(self.hint.encode(), None)
            self._close_transaction()
        except psycopg.Error as error:
            self._break(error)

    def say(self, statement: str, told: Told) -> None:
        """Runs a statement as it stands."""
        self._expect(told, None)
        try:
            self._pgconn.send_query_params(statement.encode(), None)
            self._close_transaction()
        except psycopg.Error as error:
            self._break(error)

    def plans(self) -> list[str]:
        """Statements that make the plan of each prepared one anew, so that its next use need not."""
        made = [
            f"EXPLAIN (COSTS OFF) EXECUTE {name}({', '.join(['NULL'] * len(names))})"
            for name, (_, names) in self._prepared.items()
        ]
        return ["DISCARD PLANS", *made]

    def _expect(self, told: Told, prepared: str | None) -> None:
        """An answer, within the time that it may take."""
        if not self._sent:
            self._news_at = self._loop.time()
        self._sent.append((told, prepared))
        if self._watch is None:
            self._watch = self._loop.call_later(ANSWER_SECONDS, self._look)

    def _look(self) -> None:
        """A server that is silent for too long is lost, though it may acknowledge what it is sent."""
        self._watch = None
        if not self._sent:
            return
        left = self._news_at + ANSWER_SECONDS - self._loop.time()
        if left <= 0:
            self._break(psycopg.OperationalError(str(NoAnswer())))
        else:
            self._watch = self._loop.call_later(left, self._look)

    def wait(self, seconds: float) -> None:
        """Without the loop: until the answers under way are here, or until no news came for this long."""
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        while self._sent and ready.poll(seconds * 1000):
            self._read()

    def close(self) -> None:
        """Ends it; answers under way never come."""
        self._sent.clear()
        self._detach()
        self._connection.close()

    def _detach(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _prepare(self, name: str, parameters: Mapping[str, Any]) -> None:
        [statement] = script("postgres", name)
        names = list(dict.fromkeys(_PLACEHOLDER.findall(statement)))
        text = _PLACEHOLDER.sub(lambda found: f"${names.index(found[1]) + 1}", statement).replace("%%", "%")
        types = [_INT8 if isinstance(parameters[one], int) else _UNKNOWN for one in names]
        self._prepared[name] = (name.encode(), names)
        self._pgconn.send_prepare(name.encode(), text.encode(), types)

    def _close_transaction(self) -> None:
        self._pgconn.pipeline_sync()
        self._flush()

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
        self._news_at = self._loop.time()
        try:
            pgconn.consume_input()
            while self._sent and not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:  # the end of one message's results
                    continue
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
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
        """The first error of a statement counts; what follows it was not done."""
        if isinstance(self._answer, Exception):
            return
        told, preparing = self._sent[0]
        if result.status not in _GOOD:
            self._answer = psycopg.errors.error_from_result(result)
        elif preparing is not None:  # it is, whatever becomes of its first use
            self._sent[0] = (told, None)
        elif result.ntuples:
            self._rows.set_pgresult(result)
            self._answer = self._rows.load_rows(0, result.ntuples, tuple)

    def _settle(self) -> None:
        answer, self._answer = self._answer, []
        told, prepared = self._sent.popleft()
        if prepared is not None and isinstance(answer, Exception):
            self._prepared.pop(prepared, None)
        told(answer)

    def _break(self, error: Exception) -> None:
        self._detach()
        sent = list(self._sent)
        self._sent.clear()
        self._lost()
        for told, _ in sent:
            told(error)
