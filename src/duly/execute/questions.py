"""What an attempt asks of models: within its time, no longer than it runs; a part of `execute.journal`."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import replace

from duly.execute.family import FamilyPen
from duly.model.chat import ChatAnswer, ChatRequest, Models, Paid
from duly.model.errors import NotReady
from duly.store import ledger

#: Between two tries of a database that is away.
RETRY_SECONDS = 0.5


class ModelPen(FamilyPen):
    """Model calls: a stop ends them wherever their handler runs, and what was answered is entered all the
    same."""

    #: When the handler must have ended, in the loop's time.
    ends_by = float("inf")
    _models: Models
    _is_stopped = False

    def __init__(self) -> None:
        self._calls: set[asyncio.Future[ChatAnswer]] = set()
        #: Answers that are neither recorded nor entered yet.
        self._owed: dict[tuple[str, int], Paid] = {}

    @abstractmethod
    async def text(self, text: str) -> None:
        """Streams output."""

    async def chat(self, request: ChatRequest) -> ChatAnswer:
        """Asks a model, within what is left of the attempt's time; its text is streamed as partial output.

        Raises:
            CancelledError: the handler was stopped.
        """
        if self._is_stopped:
            raise asyncio.CancelledError
        seconds = self.ends_by - asyncio.get_running_loop().time()
        call = asyncio.ensure_future(self._ask(replace(request, seconds=max(0.0, seconds))))
        self._calls.add(call)
        try:
            return await call
        finally:
            self._calls.discard(call)

    async def _ask(self, request: ChatRequest) -> ChatAnswer:
        answer = await self._models(request, self.text)
        paid = Paid(step=request.step, n=request.n, prompt=request.prompt, answer=answer)
        self._owed[paid.step, paid.n] = paid  # here, for who asked may be stopped before it hears of it
        return answer

    async def spend(self, paid: Paid) -> None:
        """Enters in the ledger an answer that is not remembered; returns when it is on stable storage."""
        if (item := ledger.entry(self._claimed, paid)) is not None:
            await self._surely(ledger.enter, item)
        self._owed.pop((paid.step, paid.n), None)

    def stop(self) -> None:
        """The handler is stopped: its model calls end, and nobody waits any more for a database that is
        away."""
        self._is_stopped = True
        for call in self._calls:
            call.cancel()

    @property
    def owes(self) -> bool:
        """Whether there are answers that are neither recorded nor entered yet."""
        return bool(self._owed)

    async def settle(self) -> None:
        """Enters the answers that the handler did not live to record; no fence is asked. A lease is often
        lost because the database was away: it is waited for, until it is closed here."""
        for paid in list(self._owed.values()):
            if (item := ledger.entry(self._claimed, paid)) is not None:
                await self._entered(item)
        self._owed.clear()

    async def _entered(self, item: ledger.Entry) -> None:
        while True:
            try:
                await self._database.write(ledger.enter, item)
            except NotReady as error:
                if not self._database.is_open:
                    return
                self._emit("journal.waiting", task_id=item.task_id, error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - each driver has its own; it must not cost the outcome
                self._emit("journal.refused", task_id=item.task_id, verb="enter", error=repr(error))
                return
            else:
                return
