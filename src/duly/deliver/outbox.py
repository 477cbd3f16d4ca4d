"""Sends what is owed: claims due deliveries, fixes their bodies, sends side by side, records how each ended.

Whatever is cut off (a crash, a drain that ran out) is sent again with the same id: at least once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from duly.deliver.channel import Channel, Reply
from duly.deliver.record import again_at_once, impossible, recorded, too_long
from duly.failpoints import failpoint
from duly.model.delivery import Outcome
from duly.model.errors import NotReady
from duly.model.events import Emit, current_task, silent
from duly.store import deliveries, lists
from duly.store.database import Database
from duly.store.deliveries import Delivery

IN_FLIGHT = 20
#: Longer than any channel's own limit: a channel that hangs must not keep its place for ever.
SEND_SECONDS = 60.0
RECORD_AGAIN_SECONDS = 1.0


class Outbox:
    """The sender of one process; `session` names its worker session, without which it claims nothing."""

    def __init__(
        self,
        database: Database,
        *,
        channels: Mapping[str, Channel],
        session: Callable[[], str | None],
        emit: Emit = silent,
    ) -> None:
        self._database = database
        self._channels = channels
        self._session = session
        self._emit = emit
        self._sends: dict[asyncio.Task[None], Delivery] = {}
        self._claim: asyncio.Task[int] | None = None
        self._draining = False

    @property
    def in_flight(self) -> int:
        """How many deliveries are being sent."""
        return len(self._sends)

    async def tick(self) -> int:
        """Claims what is due, as far as there is room, starts to send it, answers how many. Never raises."""
        if self._claim is None or self._claim.done():
            # A task of its own: a caller that is cancelled must not lose what the claim brought.
            self._claim = asyncio.create_task(self._claim_and_start(), name="duly-outbox-claim")
        return await asyncio.shield(self._claim)

    async def drain(self, seconds: float) -> None:
        """Waits for the sends in flight, claiming no more; after `seconds` cuts them off."""
        self._draining = True
        try:
            if self._claim is not None:
                await asyncio.wait([self._claim])
            if self._sends:
                await asyncio.wait(list(self._sends), timeout=seconds)
            await self._cut_off(dict(self._sends))
        finally:
            self._draining = False

    async def reconcile(self, session: str) -> int:
        """Owes again what is being sent under our session without our knowledge: a claim whose answer was
        lost. Answers how many; none while a claim is under way."""
        before = self._held()
        if self._claiming:
            return 0
        rows = await self._database.read(deliveries.sending_by, session)
        strangers = [row for row in rows if row not in before and row not in self._held()]
        if self._claiming or not strangers:
            return 0
        for id_, attempt in strangers:
            self._emit("delivery.unknown_claim", delivery_id=id_, attempt=attempt)
        await self._database.write_many(
            deliveries.settle, [again_at_once(*row, "the answer to its claim was lost") for row in strangers]
        )
        return len(strangers)

    def _held(self) -> set[tuple[str, int]]:
        return {(one.id, one.attempt) for one in self._sends.values()}

    @property
    def _claiming(self) -> bool:
        return self._claim is not None and not self._claim.done()

    async def _claim_and_start(self) -> int:
        session, room = self._session(), IN_FLIGHT - len(self._sends)
        if session is None or room <= 0 or self._draining:
            return 0
        try:
            # Look first: a claim that finds nothing would still commit, and every commit is a hint to look.
            if not await self._database.read(deliveries.due, room):
                return 0
            claimed = await self._database.write(deliveries.claim_deliveries, (session, room))
        except Exception as error:  # noqa: BLE001 - what is owed stays owed; the next tick looks again
            self._emit("outbox.failed", error=repr(error))
            return 0
        for delivery in claimed:
            send = asyncio.create_task(self._deliver(delivery), name=f"duly-send-{delivery.id}")
            self._sends[send] = delivery
            send.add_done_callback(self._sends.pop)
        return len(claimed)

    async def _deliver(self, delivery: Delivery) -> None:
        current_task.set(delivery.task_id)
        clock = self._database.clock
        started, at = clock.monotonic(), clock.now_ms()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                reply = await self._send(delivery)
                failpoint("delivery.sent")
        except TimeoutError:
            reply = Reply(ok=False, error=f"no answer within {SEND_SECONDS:g} s", kind=Outcome.UNKNOWN)
        except Exception as error:  # noqa: BLE001 - one delivery's trouble is not the others'
            reply = Reply(ok=False, error=f"{type(error).__name__}: {error}"[:200])
        if reply is None:
            self._emit("delivery.lost", task_id=delivery.task_id, delivery_id=delivery.id)
            return
        took = round((clock.monotonic() - started) * 1000)
        sent = recorded(delivery, reply, now=at, took=took)
        if not reply.recorded:
            await self._record(sent)
        self._tell(delivery, sent, took)

    async def _send(self, delivery: Delivery) -> Reply | None:
        """None: the delivery is no longer ours."""
        channel = self._channels.get(delivery.channel)
        if channel is None:
            return Reply(ok=False, final=True, error=f"there is no channel {delivery.channel!r}")
        task = await self._database.read(lists.get, delivery.task_id)
        if task is None:
            return Reply(ok=False, final=True, error="the task has vanished")
        body = delivery.body
        if body is None and not task.status.terminal:
            superseded = "the task was retried before this was sent; a later delivery tells how it ended"
            return Reply(ok=False, final=True, error=superseded)
        if (refusal := impossible(channel, delivery, task, self._database.clock.now_ms())) is not None:
            return refusal
        if body is None:
            body = await self._database.write(deliveries.fix_body, (delivery, channel.render(task)))
        failpoint("delivery.before_send")
        if body is None:
            return None
        return too_long(channel, body) or await channel.send(delivery, body, task)

    async def _record(self, sent: deliveries.Sent) -> None:
        """Until the database takes it: the row must not stay `sending` under a living session."""
        while self._database.is_open:
            try:
                await self._database.write(deliveries.settle, sent)
            except NotReady as error:
                self._emit("outbox.failed", delivery_id=sent.id, error=str(error))
                await asyncio.sleep(RECORD_AGAIN_SECONDS)
            else:
                return

    def _tell(self, delivery: Delivery, sent: deliveries.Sent, took: int) -> None:
        name = "failed" if sent.status == "pending" else sent.status
        self._emit(
            f"delivery.{name}",
            task_id=delivery.task_id,
            delivery_id=delivery.id,
            channel=delivery.channel,
            attempt=delivery.attempt,
            outcome=sent.outcome,
            code=sent.code,
            error=sent.error,
            next_in_ms=sent.delay_ms,
            duration_ms=took,
        )

    async def _cut_off(self, left: Mapping[asyncio.Task[None], Delivery]) -> None:
        for send in left:
            send.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        words = "cut off by a stop"
        off = [one for send, one in left.items() if send.cancelled()]
        cut = [again_at_once(one.id, one.attempt, words, Outcome.UNKNOWN) for one in off]
        try:
            await self._database.write_many(deliveries.settle, cut)
        except NotReady as error:
            self._emit("outbox.failed", error=str(error))
