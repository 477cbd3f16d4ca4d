"""One database of one process: a writer thread, a few reader threads, and hints that something changed.

`await database.write(verb, item)` resolves after the commit; `await database.read(query, …)` runs on a
reader. A caller that is cancelled leaves its call to finish.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa

from duly.clock import Clock, SystemClock
from duly.model.errors import NotReady
from duly.model.events import Emit, silent
from duly.store.dispatch import Dispatch
from duly.store.driver import Driver, Footing, Hints, Trouble, choose
from duly.store.express import Express
from duly.store.heads import Heads
from duly.store.link import Link, spoken, trouble
from duly.store.transaction import Moment, Terms, Transaction, read_ahead
from duly.store.writer import Call, Verb, Writer

P = ParamSpec("P")
T = TypeVar("T")

READERS = 3
#: How often other processes' commits are looked for: with hints between processes, and without, in seconds.
LOOK_SECONDS = 0.1
LOOK_SECONDS_ALONE = 0.05


class Database:
    """The store of one process. Open it before use; close it to finish what is queued."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        emit: Emit = silent,
        terms: Terms | None = None,
        listen_url: str | None = None,
    ) -> None:
        self.url = url
        self.driver: Driver = choose(url, listen_url=listen_url)
        self.terms = terms or Terms()
        self.clock = clock or SystemClock()
        self.heads = Heads()
        self._emit = emit
        self._listeners: list[tuple[Callable[[bool], object], frozenset[Verb] | None]] = []
        self._readers: ThreadPoolExecutor | None = None
        self._idle: list[Link] = []
        self.footing: Footing | None = None
        self._dispatch = Dispatch()

    def open(self) -> None:
        """Connects and starts the threads. The schema must be there (`migrate.ensure`).

        Raises:
            UnsupportedDatabase: this database promises nothing, or too little.
            NotReady: it cannot be reached now.
        """
        self.footing = self.examine()
        read_ahead(self.driver.dialect)
        for warning in self.footing.warnings:
            self._emit("store.warning", message=warning)
        write_engine, self._read_engine = self.engine(), self.engine(read_only=True)
        self._writer = Writer(
            lambda: self._writing(write_engine),
            emit=self._emit,
            committed=self._committed,
            seen=lambda: self._announce(True),
            look_every=LOOK_SECONDS,
        )
        express = self._make_express()
        self._hints: Hints = express or self.driver.hints(lambda: self._announce(True))
        with self._spoken():
            try:
                if not self._hints.start():
                    self._writer.look_every = LOOK_SECONDS_ALONE
                self._writer.start()
            except BaseException:
                self._hints.stop()  # whoever opens again starts them anew
                raise
        self._dispatch.open(self._writer.submit, express)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="duly-reader")

    def _make_express(self) -> Express | None:
        """On the loop that opens the database, if its driver knows a way that needs no thread."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return None
        if (connect := self.driver.line()) is None:
            return None
        return Express(
            loop,
            connect,
            clock=self.clock,
            at=lambda now: Moment(now=now, terms=self.terms, heads=self.heads),
            pass_on=self._writer.submit,
            committed=lambda verbs: self._announce(foreign=False, verbs=verbs),
            heard=lambda: self._announce(True),
            emit=self._emit,
        )

    @property
    def place(self) -> str:
        """Where it is, for people: no password in it."""
        return self.driver.place

    def examine(self) -> Footing:
        """Looks whether this database can be used, without opening it.

        Raises:
            UnsupportedDatabase: it cannot.
            NotReady: it cannot be reached now.
        """
        with self._spoken():
            return self.driver.examine()

    def engine(self, *, read_only: bool = False) -> sa.Engine:
        """A SQLAlchemy engine without a pool; for migrations and our own threads."""
        return sa.create_engine(
            self.driver.core_url,
            module=self.driver.module,
            creator=lambda: self.driver.connect(read_only=read_only),
            poolclass=sa.pool.NullPool,
            isolation_level="AUTOCOMMIT",
        )

    def _link(self, engine: sa.Engine) -> Link:
        return Link(self.driver, engine, self.clock, self.terms, self.heads)

    def close(self) -> None:
        """Finishes what is queued and closes all connections."""
        if self._readers is not None:
            self._dispatch.close()
            self._writer.close()
            self._hints.stop()
            self._readers.shutdown()
            for link in self._idle:
                link.close()
            self._idle.clear()
            self._readers = None

    @property
    def is_open(self) -> bool:
        """Whether reads and writes are possible."""
        return self._readers is not None

    def subscribe(
        self, listener: Callable[[bool], object], *, after: Iterable[Verb] | None = None
    ) -> Callable[[], None]:
        """Calls `listener(foreign)` after commits, on a thread of the store; answers how to stop that.

        `after`: of our own commits only those in which one of these verbs ran.
        """
        entry = (listener, None if after is None else frozenset(after))
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def _committed(self, verbs: Set[Verb], news: bool) -> None:
        """After a commit of ours; claims are no news to other processes."""
        if news:
            self._hints.tell()
        self._announce(False, verbs)

    def _announce(self, foreign: bool, verbs: Set[Verb] = frozenset()) -> None:
        for listener, wanted in tuple(self._listeners):
            if not foreign and wanted is not None and wanted.isdisjoint(verbs):
                continue
            try:
                listener(foreign)
            except Exception as error:  # noqa: BLE001 - a hint may be lost; the writer's thread may not
                self._emit("store.wake_failed", error=repr(error))

    async def write(self, verb: Verb, item: Any, *, last: bool = False) -> Any:
        """Runs `verb` with one item and answers its one result, after the commit."""
        [answer] = await self.write_many(verb, [item], last=last)
        return answer

    async def write_many(self, verb: Verb, items: Sequence[Any], *, last: bool = False) -> Sequence[Any]:
        """Runs `verb` with a list of items in one transaction; `last` runs it after others of its group."""
        if not items:
            return []
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Any]] = loop.create_future()
        with self._spoken():
            self._dispatch.queue(Call(verb, items, _size(items), last, answer, loop))
            return await answer

    def post(self, verb: Verb, item: Any, told: Callable[[Any], None]) -> None:
        """`write` for who has a callback and no task: `told` gets the answer, or the error, on this loop."""
        loop = asyncio.get_running_loop()
        call = Call(verb, [item], _size_of(item), False, _Told(told, self.driver), loop)
        try:
            self._dispatch.queue(call)
        except NotReady as error:
            call.future.set_exception(error)

    def write_blocking(self, verb: Verb, items: Sequence[Any]) -> Sequence[Any]:
        """`write_many` for threads without a loop."""
        answer: Future[Sequence[Any]] = Future()
        with self._spoken():
            self._dispatch.queue(Call(verb, items, _size(items), False, answer))
            return answer.result()

    async def read(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Runs `query(tx, …)` on a reader, in one consistent view."""
        if self._readers is None:
            raise NotReady("the database is not open")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self.read_blocking(query, *args, **kwargs))

    def read_blocking(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """`read` for threads without a loop. A connection that broke while idle is replaced, once."""
        with self._spoken():
            try:
                return self._query(query, *args, **kwargs)
            except Exception as error:
                if trouble(self.driver, error) is not Trouble.LOST:
                    raise
            self._forget_idle()
            return self._query(query, *args, **kwargs)

    def _query(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """On a connection of its own, which is kept for the next one unless it breaks."""
        try:
            link = self._idle.pop()
        except IndexError:
            link = self._link(self._read_engine)
        try:
            answer = query(link.snapshot(), *args, **kwargs)
            link.rollback()
        except BaseException:
            self._set_free(link)
            raise
        self._idle.append(link)
        return answer

    def _set_free(self, link: Link) -> None:
        try:
            link.rollback()
        except Exception:  # noqa: BLE001 - it is broken: whatever the driver says, nothing is left to undo
            link.close()
        else:
            self._idle.append(link)

    def _writing(self, engine: sa.Engine) -> Link:
        """The writer's connection. When it is made anew, idle ones go first: on SQLite, what they hold of a
        file that could only be read binds a new one of the same process, too."""
        self._forget_idle()
        return self._link(engine)

    def _forget_idle(self) -> None:
        """Idle connections to a server that went away are all broken."""
        while self._idle:
            with contextlib.suppress(Exception):
                self._idle.pop().close()

    @contextlib.contextmanager
    def _spoken(self) -> Iterator[None]:
        """Turns errors of the driver into ours."""
        try:
            yield
        except Exception as error:
            ours = spoken(self.driver, error)
            if ours is error:
                raise
            raise ours from error


class _Told:
    """Takes an answer as a future would, and passes it on at once: a future costs its waiter a turn."""

    __slots__ = ("_driver", "_tell")

    def __init__(self, tell: Callable[[Any], None], driver: Driver) -> None:
        self._tell = tell
        self._driver = driver

    def done(self) -> bool:
        return False

    def set_result(self, answers: Sequence[Any]) -> None:
        self._tell(answers[0])

    def set_exception(self, error: Exception) -> None:
        self._tell(spoken(self._driver, error))


def _size(items: Sequence[Any]) -> int:
    """About how many bytes a call writes."""
    return sum(map(_size_of, items))


def _size_of(item: Any) -> int:
    return len(getattr(item, "input", None) or getattr(item, "result", None) or "")


def join_caller(database: Database, connection: Any) -> Transaction:
    """The caller's own open transaction, as verbs see it.

    Raises:
        InvalidInput: there is no open transaction on the connection, or it is of another library.
    """
    driver = database.driver
    raw: Any = connection.connection.dbapi_connection if isinstance(connection, sa.Connection) else connection
    cursor = driver.join(raw)
    now = database.clock.told(driver.now(raw))
    return Transaction(
        cursor, now, terms=database.terms, dialect=driver.dialect, heads=database.heads.only_seen()
    )
