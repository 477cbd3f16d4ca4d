"""One request of a client: sent again while that is safe and of use, refusals as errors."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from duly.client.errors import Problem, Unreachable, problem

Json = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]
TIMEOUT_SECONDS = 30.0
CONNECT_SECONDS = 5.0
#: A stream is silent for at most the server's ping; this is several of them.
SILENCE_SECONDS = 60.0
RETRIES = 5
#: The first pause, doubled each time; and the longest, whatever the server asks for.
PAUSE_SECONDS = 0.25
LONGEST_SECONDS = 60.0
#: Answers that say: not now.
LATER = (429, 503)


class Calls:
    """The connection pool of a client, and its patience."""

    def __init__(
        self, url: str, token: str, *, retries: int, sleep: Sleep = asyncio.sleep, transport: Any = None
    ) -> None:
        self.retries = retries
        self._sleep = sleep
        self._url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = httpx2.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        self.http = httpx2.AsyncClient(
            base_url=url, headers=headers, timeout=timeout, trust_env=False, transport=transport
        )

    async def ask(self, method: str, path: str, *, safe: bool = True, **sent: Any) -> Json:
        """The answer's JSON object.

        Args:
            safe: sent twice it does what it does once; else only what was surely refused is sent again.

        Raises:
            Problem: refused, and not only for now; or for longer than the retries.
            Unreachable: no answer.
        """
        for number in range(self.retries + 1):
            last = number == self.retries
            try:
                response = await self.http.request(method, path, **sent)
            except httpx2.TransportError as error:
                if last or not (safe or isinstance(error, httpx2.ConnectError)):
                    raise self.unreachable(error) from None
                await self.pause(number)
                continue
            if response.status_code < 400:
                answer = response.json() if response.content else {}
                return dict(answer)
            refusal = problem(response)
            if last or response.status_code not in LATER:
                raise refusal
            await self.pause(number, refusal)
        raise AssertionError("unreachable")

    async def pause(self, number: int, refusal: Problem | None = None) -> None:
        """Before the next try: as long as the server asks for, or doubled and jittered."""
        own = PAUSE_SECONDS * 2**number * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        asked = refusal.retry_after if refusal is not None else None
        await self._sleep(min(own if asked is None else asked, LONGEST_SECONDS))

    def unreachable(self, error: Exception) -> Unreachable:
        """What to say when no answer came."""
        return Unreachable(f"{self._url} does not answer: {error or type(error).__name__}")
