"""A worker: session, poller, attempts, rescue, outbox, each a loop on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from duly.claim.ageing import Ager
from duly.claim.limits import LimitKeeper
from duly.claim.orphans import Orphans
from duly.claim.poller import Poller, Role
from duly.claim.pruner import Pruner
from duly.claim.rescue import Reconciler, Rescuer
from duly.claim.session import WorkerSession
from duly.claim.ticker import Ticker
from duly.deliver.outbox import Outbox
from duly.execute.means import Means
from duly.execute.runner import Runner
from duly.model.errors import DulyError, SessionEnded
from duly.model.task import Claimed
from duly.registry import LANES
from duly.runtime.app import App
from duly.runtime.channels import channels
from duly.runtime.loops import Loop
from duly.runtime.pulse import Pulse
from duly.store import bulk, pauses
from duly.store.children import pass_on, spawn
from duly.store.claims import finish, promote, rescue
from duly.store.deeds import act
from duly.store.deliveries import settle
from duly.store.limits import wake
from duly.store.reserve import Reserve
from duly.store.schedules import run, tick
from duly.store.signals import signal
from duly.store.submissions import cancel, retry, submit
from duly.store.writer import Verb

#: How long a drain waits to say that it is one, when the database is busy.
LEAVE_SECONDS = 1.0
#: How often it is looked for what has been kept long enough, and the pause between two batches.
PRUNE_SECONDS, PRUNE_PAUSE = 60.0, 0.1
#: How often it is looked for children whose parent has failed or was cancelled.
ORPHANS_SECONDS = 2.0
#: When a claim is tried again that started nothing and has not seen all, in seconds.
LIMITS_SECONDS = 0.02
#: How long other looks wait for the claim, when somebody else has committed something, in seconds.
ASIDE_SECONDS = 0.01
#: Who runs tasks only: what else is to be done is another worker's.
APART = frozenset({Role.QUARANTINE, Role.CARRIER})
#: What an operator does that may give workers something to do.
OPENING: frozenset[Verb] = frozenset({pauses.resume, bulk.retry, bulk.move, act})


class Worker:
    """Runs what is due. `supervised` tells the parent of a session; without one it renews itself.

    `suspects` is called when suspects wait that a worker in the role of `QUARANTINE` should run. In that role
    it sends and rescues nothing: a task that kills its process would tear that down too. Nor does a
    `CARRIER`.
    """

    #: Seconds between two claims at least.
    apart = 0.0

    def __init__(
        self,
        app: App,
        *,
        role: Role = Role.ALONE,
        suspects: Callable[[], None] = lambda: None,
        supervised: Callable[[str], None] | None = None,
        replace: Callable[[], None] = lambda: None,
        pulse: Callable[[float], None] = lambda _: None,
    ) -> None:
        settings, database, emit = app.settings, app.database, app.emit
        self._app = app
        self._emit = emit
        self.session = self._make_session(supervised or (lambda _: None))
        self.runner = self._make_runner(replace)
        self.pulse = Pulse(self.runner.ends_by, pulse)
        self.poller = Poller(
            database,
            app.registry,
            settings.queue_names,
            free=self.runner.free,
            start=self._begin,
            role=role,
            shares=self.runner.shares,
        )
        self.rescuer = Rescuer(database, emit=emit, own=lambda: self.session.id)
        self.reconciler = Reconciler(
            database, emit=emit, held=self.runner.held, claiming=lambda: self.claiming > 0
        )
        self.outbox = Outbox(database, channels=channels(app), session=lambda: self.session.id, emit=emit)
        self.pruner = Pruner(database, Reserve(database, settings.reserve), emit=emit)
        self.orphans = Orphans(database, emit=emit)
        self.limits = LimitKeeper(database, app.registry, emit=emit)
        self.ticker = Ticker(database, emit=emit, sync=self._write_down)
        self._claims = Loop("claim", settings.poll, self.claim, emit=emit, apart=self.apart)
        self._cancels = Loop("cancel", settings.poll, self.runner.look_for_cancels, emit=emit, apart=0.05)
        self._sends = Loop("deliver", settings.poll, self.outbox.tick, emit=emit, apart=0.02, apart_idle=0.1)
        self._supervised, self._role = supervised is not None, role
        self._tell_suspects = suspects
        self._loops = self._make_loops()
        for one in self._loops:
            one.unready_after = settings.max_consecutive_errors
        self._forget = contextlib.ExitStack()
        self._stirred = asyncio.Event()
        self._begun_at = 0.0
        self._on_server = database.driver.dialect != "sqlite"

    def _make_session(self, opened: Callable[[str], None]) -> WorkerSession:
        queues, types = self._app.settings.queue_names, tuple(self._app.registry.words())
        return WorkerSession(self._app.database, queues, emit=self._emit, opened=opened, types=types)

    def _make_runner(self, replace: Callable[[], None]) -> Runner:
        settings = self._app.settings
        return Runner(
            self._app.database,
            self._app.registry,
            emit=self._emit,
            slots={"loop": settings.concurrency, "thread": settings.threads, "process": settings.processes},
            stuck=settings.stuck,
            freed=self._freed,
            replace=replace,
            means=Means(admit=self._app.client.admit, models=self._app.models),
        )

    def _make_loops(self) -> list[Loop]:
        settings, emit = self._app.settings, self._emit
        self.ager = Ager(self._app.database, settings.queue_names, period=settings.ageing, emit=emit)
        self._prunes = Loop("prune", PRUNE_SECONDS, self.prune, emit=emit, apart=PRUNE_PAUSE)
        loops = [
            self._claims,
            self._cancels,
            Loop("renew", settings.renew, self.renew, emit=emit),
            Loop("beat", settings.renew, self.pulse.tick, emit=emit),
        ]
        if self._role in APART:
            return loops
        return [
            *loops,
            self._sends,
            Loop("sweep", settings.sweep, self.sweep, emit=emit),
            self._prunes,
            Loop("orphans", ORPHANS_SECONDS, self.orphans.tick, emit=emit),
            Loop("schedule", settings.poll, self.ticker.tick, emit=emit),
        ]

    async def start(self) -> None:
        """Opens a session and starts the loops."""
        if self._role not in APART:
            await self.ticker.sync()
        await self.session.current()
        loop = asyncio.get_running_loop()
        for hint, verbs in self._hints.items():
            self._forget.callback(self._listen(loop, hint, verbs))
        for one in self._loops:
            one.start()
        self._emit("worker.started", worker_id=self.session.id, types=len(self._app.registry))

    def _begin(self, claimed: Sequence[Claimed]) -> None:
        if claimed:
            self._begun_at = asyncio.get_running_loop().time()
        self.runner.start(claimed)
        self.pulse.begun()  # before a handler's first line: it may block the loop

    @property
    def _hints(self) -> dict[Callable[[bool], None], frozenset[Verb]]:
        """What to do after which verbs; after commits of others, all of it."""
        return {
            self._work_may_wait: frozenset(
                {submit, spawn, retry, cancel, signal, promote, rescue, tick, run, wake, *OPENING}
            ),
            _aside(self._cancels): frozenset({cancel, pass_on, act}),
            _aside(self._sends): frozenset(
                {finish, cancel, pass_on, promote, rescue, settle, bulk.purge, act}
            ),
        }

    def _listen(
        self, loop: asyncio.AbstractEventLoop, hint: Callable[[bool], None], verbs: frozenset[Verb]
    ) -> Callable[[], None]:
        return self._app.database.subscribe(
            lambda foreign: loop.call_soon_threadsafe(hint, foreign), after=verbs
        )

    def _work_may_wait(self, foreign: bool) -> None:
        """What we submitted ourselves is claimed without a look before. On a server all is: there a claim
        that finds nothing costs as much as the look, and holds up nobody."""
        self._stirred.set()
        if not foreign or self._on_server:
            self.poller.expect()
        self._claims.hint()

    def look(self) -> None:
        """Looks for work now: the parent has just given suspects back."""
        self._stirred.set()
        self._claims.hint()

    def _freed(self) -> None:
        """A slot is free: a reason to look, unless the last round had one left and saw all there was."""
        self._stirred.set()
        if self.poller.hungry:
            self._claims.hint()

    @property
    def ready(self) -> tuple[bool, str]:
        """Whether the worker is well, and if not, which loop fails."""
        sick = [one.name for one in self._loops if one.unready]
        return not sick, f"failing: {', '.join(sick)}" if sick else "ok"

    async def _write_down(self) -> None:
        await self._app.schedules.sync(self._app.declared.schedules)
        await self.limits.sync()

    @property
    def claiming(self) -> int:
        """How many claims are under way."""
        return self.poller.in_flight

    async def claim(self) -> int:
        """One round of the poller; a session that was ended is replaced."""
        session = await self.session.current()
        try:
            begun = await self.poller.tick(session)
        except SessionEnded:
            await self.replace_session(session)
            return 0
        if begun and self.poller.more and any(map(self.runner.free, LANES)):
            self._claims.hint()
        elif self.poller.again:
            asyncio.get_running_loop().call_later(LIMITS_SECONDS, self._claims.hint)
        return begun

    async def sweep(self) -> None:
        """Takes back what died with others; limits, suspects that wait, and tasks that rise."""
        await self.rescuer.tick()
        await self.limits.tick()
        if self._role is Role.ORDINARY and await self.poller.suspects_wait():
            self._tell_suspects()
        await self.ager.tick()

    async def prune(self) -> int:
        """Deletes a few tasks that were kept long enough; again soon while there are more."""
        gone = await self.pruner.tick()
        if self.pruner.more:
            self._prunes.hint()
        return gone

    async def replace_session(self, ended: str) -> None:
        """Gives up all attempts of a session that others ended, and takes a new one."""
        if self.session.end(ended):
            self._emit("session.lost", worker_id=ended, attempts=self.runner.busy)
            self.runner.lose_all()
            await self.session.current()
            self._claims.hint()

    def let_go(self) -> None:
        """The database is sealed: what runs here can record nothing, and is due where it moved to."""
        self._emit("worker.let_go", attempts=self.runner.busy)
        self.runner.lose_all()

    async def renew(self) -> None:
        """Renews the lease unless a supervisor does, and hands back rows that nobody here holds."""
        session = self.session.id
        if session is None:
            return
        if not self._supervised and not await self.session.renew():
            await self.replace_session(session)
            return
        await self.reconciler.tick(session)
        await self.outbox.reconcile(session)

    async def drain(self, seconds: float) -> None:
        """Claims no more, lets running work end for `seconds`, hands the rest back."""
        self._emit("worker.draining", running=self.runner.busy, seconds=seconds)
        await self._claims.stop()
        with contextlib.suppress(DulyError, TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self.session.leave()
        await self.runner.drain(seconds)
        await self.outbox.drain(min(seconds, 5.0))

    async def stop(self) -> None:
        """Stops the loops; call `drain` before."""
        self._forget.close()
        for one in self._loops:
            await one.stop()
        self._emit("worker.stopped", worker_id=self.session.id)

    async def until_idle(self) -> None:
        """Returns when nothing is due, nothing runs and nothing is being sent. Schedules tick once, before:
        one that is quicker than its tasks would never let it return."""
        await self.ticker.tick()
        while True:
            self._stirred.clear()
            # What ends while we ask may be due again, or make room: also what a loop begins meanwhile.
            ran, begun_at = self.runner.busy, self._begun_at
            if (
                not await self.claim()
                and not self.poller.again  # it has not seen all that is due
                and not ran
                and begun_at == self._begun_at
                and not self.runner.busy
                and not (await self.orphans.tick() or await self.outbox.tick())
            ):
                await self.outbox.drain(20)
                return
            if self.runner.busy:
                await self._stir()
                await self.runner.look_for_cancels()

    async def until_clear(self, seconds: float) -> None:
        """Returns when nothing has begun or run for `seconds`."""
        loop = asyncio.get_running_loop()
        self._begun_at = loop.time()
        while loop.time() < self._begun_at + seconds:
            self._stirred.clear()
            await self._stir()
            if self.runner.busy:
                self._begun_at = loop.time()

    async def _stir(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._app.settings.poll):
                await self._stirred.wait()


def _aside(one: Loop) -> Callable[[bool], None]:
    """What others committed is mostly work: the claim goes first, and no other look beside it."""

    def hint(foreign: bool) -> None:
        if foreign:
            asyncio.get_running_loop().call_later(ASIDE_SECONDS, one.hint)
        else:
            one.hint()

    return hint
