"""The two kinds of worker of the Celery engine: one that sends what is due, and one that runs what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from duly.claim.poller import Role
from duly.claim.porter import Porter
from duly.claim.session import WorkerSession
from duly.model.errors import NotReady, SessionEnded
from duly.model.task import Claimed
from duly.runtime.app import App
from duly.runtime.broker import Broker
from duly.runtime.courier import Courier
from duly.runtime.loops import Loop
from duly.runtime.worker import Worker


class Sender(Worker):
    """The worker in `duly serve` with DULY_ENGINE=celery: it sends the ids of tasks and runs none.

    Its session serves no type, by which others know it. Suspects it leaves to the quarantine child beside it.
    """

    #: It looks at as many rows as may be on their way.
    apart = 0.05

    def __init__(
        self,
        app: App,
        *,
        suspects: Callable[[], None],
        supervised: Callable[[str], None],
        pulse: Callable[[float], None],
    ) -> None:
        settings = app.settings
        self.courier = Courier(
            app.database,
            Broker(settings),
            settings.queue_names,
            again=settings.resend,
            window=settings.window,
            emit=app.emit,
        )
        super().__init__(app, role=Role.ORDINARY, suspects=suspects, supervised=supervised, pulse=pulse)

    def _make_session(self, opened: Callable[[str], None]) -> WorkerSession:
        queues = self._app.settings.queue_names
        return WorkerSession(self._app.database, queues, emit=self._emit, opened=opened, types=())

    async def claim(self) -> int:
        """Lets the clock act, then sends; claims nothing."""
        await self.poller.look_at_the_clock()
        return await self.courier.tick(await self.session.current())

    async def drain(self, seconds: float) -> None:
        """Sends no more."""
        await super().drain(seconds)
        self.courier.close()


class Carrier(Worker):
    """What a Celery worker process is: it runs the tasks that messages name, and renews nothing itself."""

    def __init__(
        self,
        app: App,
        *,
        node: str,
        supervised: Callable[[str], None],
        replace: Callable[[], None],
        pulse: Callable[[float], None],
    ) -> None:
        self._node = node
        super().__init__(app, role=Role.CARRIER, supervised=supervised, replace=replace, pulse=pulse)
        self.porter = Porter(app.database, app.registry, app.settings.queue_names, start=self._begin)
        self._leaving = False

    def _make_session(self, opened: Callable[[str], None]) -> WorkerSession:
        queues, types = self._app.settings.queue_names, tuple(self._app.registry.words())
        return WorkerSession(
            self._app.database, queues, emit=self._emit, opened=opened, types=types, host=self._node
        )

    def _make_loops(self) -> list[Loop]:
        return [loop for loop in super()._make_loops() if loop is not self._claims]

    @property
    def claiming(self) -> int:
        """How many claims are under way."""
        return self.porter.in_flight

    async def claim(self) -> int:
        """Nothing by itself."""
        return 0

    async def carry(self, id_: str) -> bool:
        """Runs the task that a message names, to its end; False: it was not to be started, or not here."""
        claimed = await self._take(id_)
        if claimed is None:
            self._emit("message.dropped", task_id=id_)
            return False
        await self.runner.until_over(claimed)
        return True

    async def _take(self, id_: str) -> Claimed | None:
        """While the database is away the message waits, and with it its slot: others would be dropped."""
        while not self._leaving:
            try:
                session = await self.session.current()
                return await self.porter.take(session, id_)
            except SessionEnded:
                await self.replace_session(session)
            except NotReady as error:
                self._emit("message.waiting", task_id=id_, error=str(error))
                await asyncio.sleep(self._app.settings.poll)
        return None

    async def drain(self, seconds: float) -> None:
        """Takes no message more, lets running work end for `seconds`, hands the rest back."""
        self._leaving = True
        await self.porter.rest()
        await super().drain(seconds)
