"""One model call with all its tries: which provider, how often, until when. Logs each request.

The retry budget stands here and only here: `llm.tries` requests within the attempt's own time; beyond that
the task's policy (2, 4, 8 s …) decides. Decision 0038 has the product of both.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_random_exponential

from duly.clock import Clock, iso
from duly.llm import pricing, tokens
from duly.llm.alone import Alone
from duly.llm.client import Client, Raw
from duly.llm.failures import Kind, RequestFailed
from duly.llm.lanes import Lane, Turn
from duly.llm.pool import Pool
from duly.llm.providers import LlmTable, Provider
from duly.llm.shared import Shared
from duly.model.chat import ChatAnswer, ChatRequest, ModelAway, ModelFailed, Told
from duly.model.events import Emit
from duly.store.database import Database

#: What is streamed between a broken answer and the next.
AGAIN = "\n\n--- the answer begins again ---\n\n"
#: The longest pause between two requests of one call, in seconds.
LONGEST_PAUSE = 8.0


class Desk:
    """Asks the providers of one installation; calling it is a `Models`."""

    def __init__(
        self,
        table: LlmTable,
        providers: list[Provider],
        *,
        emit: Emit,
        clock: Clock,
        database: Database | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        keys = os.environ if environ is None else environ
        self.table, self._emit, self._clock = table, emit, clock
        told: dict[str, Any] = {"closed": self._closed, "opened": self._opened}
        gates = Alone(table, providers, **told)
        if database is not None:
            gates = Shared(table, providers, database=database, emit=emit, **told)
        self.pool = Pool(gates)
        self._keys = {one.name: keys.get(one.key_env, "") if one.key_env else "" for one in providers}
        self._clients: dict[str, Client] = {}

    async def close(self) -> None:
        """Closes all connections, and tells other processes what is to be told."""
        await self.pool.close()
        for one in self._clients.values():
            await one.close()
        self._clients.clear()

    async def __call__(self, request: ChatRequest, told: Told) -> ChatAnswer:
        """The answer of whichever provider gives one.

        Raises:
            ModelFailed: no provider will answer this.
            ModelAway: none did, within the tries.
            ModelPaused: each is closed.
        """
        call = _Call(self, request, told)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.table.tries),
            wait=self._pause(call),
            retry=retry_if_exception(call.may_go_on),
            reraise=True,
        )
        try:
            answer: ChatAnswer = await retrying(call.once)
        except RequestFailed as error:
            raise self._verdict(request, error) from None
        return answer

    def _pause(self, call: _Call) -> Any:
        grows = wait_random_exponential(multiplier=self.table.backoff, max=LONGEST_PAUSE)
        return lambda state: grows(state) if call.none_is_fresh(state) else 0

    def _verdict(self, request: ChatRequest, error: RequestFailed) -> Exception:
        failure = error.failure
        if failure.kind is Kind.FATAL:
            return ModelFailed(str(error), code=failure.code)
        paused, wait = self.pool.paused(request.model, str(error))
        if paused is not None and failure.kind is not Kind.SWITCH:
            return paused
        if failure.code in ("timeout", "idle"):  # words that elsewhere are the attempt's own
            text = (
                f"The model did not answer in time ({failure.message}); check the network or try again later."
            )
            return ModelAway(text, code="llm_timeout", after=wait)
        return ModelAway(str(error), code=failure.code, after=wait)

    def client(self, provider: Provider) -> Client:
        """The client of a provider, made once."""
        found = self._clients.get(provider.name)
        if found is None:
            found = self._clients[provider.name] = Client(provider, self._keys[provider.name])
        return found

    def asked(self, request: ChatRequest, lane: Turn) -> None:
        """Logs a request: what is asked is not told."""
        self._emit(
            "llm_request",
            task_id=request.task_id or None,
            provider=lane.name,
            model=lane.provider.model_for(request.model),
            prompt_tokens=tokens.of_messages(request.messages),
            timestamp=iso(self._clock.now_ms()),
            messages=request.messages if self.table.log_texts else None,
        )

    def answered(self, request: ChatRequest, lane: Turn, started: float, end: Raw | RequestFailed) -> float:
        """Logs how it ended; answers how long it took, in milliseconds."""
        took = round((asyncio.get_running_loop().time() - started) * 1000, 2)
        good = isinstance(end, Raw)
        used = end.usage if isinstance(end, Raw) else None
        self._emit(
            "llm_response",
            level="info" if good else "warning",
            task_id=request.task_id or None,
            provider=lane.name,
            model=lane.provider.model_for(request.model),
            duration_ms=took,
            success=good,
            response_tokens=used.completion_tokens if used else None,
            error=None if isinstance(end, Raw) else end.failure.message,
            error_code=None if isinstance(end, Raw) else end.failure.code,
            text=end.text if self.table.log_texts and isinstance(end, Raw) else None,
        )
        return took

    def _closed(self, lane: Lane, seconds: float) -> None:
        reason = lane.reason
        alarm = reason is not None and reason.kind is Kind.SWITCH
        self._emit(
            "llm_provider.closed",
            level="error" if alarm else "warning",
            provider=lane.name,
            seconds=round(seconds, 1),
            error_code=reason.code if reason else None,
            error=reason.message if reason else None,
        )

    def _opened(self, lane: Lane) -> None:
        self._emit("llm_provider.opened", provider=lane.name)


class _Call:
    """One call's tries."""

    def __init__(self, desk: Desk, request: ChatRequest, told: Told) -> None:
        self._desk, self._request, self._told = desk, request, told
        self._ends_by = asyncio.get_running_loop().time() + request.seconds
        self._tried: set[str] = set()
        self._tries = 0
        self._reserved = tokens.reservation(request)
        self._spoke = self._broken = False

    async def once(self) -> ChatAnswer:
        """One request."""
        request, desk, loop = self._request, self._desk, asyncio.get_running_loop()
        lane = await desk.pool.take(request.model, self._tried, self._ends_by, self._reserved)
        if lane.provider.kind == "offline":
            desk.pool.give_back(lane)
            return ChatAnswer(text="", finish_reason="offline", provider=lane.name, model="offline")
        started = loop.time()
        left = max(0.1, self._ends_by - started)
        self._tries += 1
        self._tried.add(lane.name)
        failure, used, answered = None, None, False
        try:
            desk.asked(request, lane)
            limit = min(left, lane.provider.seconds(request.task_type))
            raw = await desk.client(lane.provider).ask(request, limit, self._tell)
            used, answered = raw.usage, True
        except RequestFailed as error:
            failure = error.failure
            desk.answered(request, lane, started, error)
            self._broken = self._spoke
            raise
        finally:  # after a stop, which is nobody's failure, too
            total = used.prompt_tokens + used.completion_tokens if used else None
            desk.pool.give_back(lane, failure, answered=answered, used=total)
        return self._answer(lane, raw, desk.answered(request, lane, started, raw))

    def _answer(self, lane: Turn, raw: Raw, took: float) -> ChatAnswer:
        provider = lane.provider
        asked, used = provider.model_for(self._request.model), raw.usage
        model = raw.model or asked
        cost = pricing.cost(provider, (model, asked), used, look_up=self._desk.table.price_lookup)
        return ChatAnswer(
            text=raw.text,
            finish_reason=raw.finish_reason,
            provider=lane.name,
            model=model,
            usage=used,
            cost=cost,
            request_id=raw.request_id,
            tries=self._tries,
            duration_ms=took,
        )

    async def _tell(self, text: str) -> None:
        if self._broken:
            self._broken = False
            await self._told(AGAIN)
        self._spoke = True
        await self._told(text)

    def may_go_on(self, error: BaseException) -> bool:
        """Whether another request makes sense."""
        in_time = asyncio.get_running_loop().time() < self._ends_by
        return isinstance(error, RequestFailed) and error.failure.kind is not Kind.FATAL and in_time

    def none_is_fresh(self, _: RetryCallState) -> bool:
        """Whether all that could answer were tried: only then a pause makes sense."""
        lanes = self._desk.pool.lanes.values()
        return all(one.name in self._tried for one in lanes if one.provider.serves(self._request.model))
