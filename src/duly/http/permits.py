"""So many requests a caller may make in a time: `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10), 429.

Permits come from a bucket in the database, some at a time: together all processes hand out no more than the
policy says. What a process took and nobody used within a second is lost to the caller, never gained.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from duly.http.identity import identify
from duly.http.principal import name_of
from duly.http.problems import on_duly_error, problem
from duly.model.errors import DulyError, NotAllowed
from duly.model.limit import Rate
from duly.runtime.app import App
from duly.store import buckets
from duly.store.buckets import Granted, Lease

#: A lease is at most this part of the policy, and this many permits; the first of a rush is one.
SHARE, MOST = 16, 32
#: How long a process may hand out what it took.
LEASE_MS = 1000
#: Callers that a process remembers.
CALLERS = 10_000
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the request may pass, what is left, and seconds until there is more."""

    allowed: bool
    left: int
    reset: int


_NOTHING = Granted(0, 0, 0, 0)


@dataclass(slots=True)
class _Hand:
    """What a process holds for one caller."""

    permits: int = 0
    until: int = 0
    want: int = 1
    refused_until: int = 0
    granted: Granted = _NOTHING
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Permits:
    """Hands out one permit for each request."""

    def __init__(self, app: App, rate: Rate) -> None:
        self._app = app
        self._rate = rate
        self._hands: dict[str, _Hand] = {}

    async def take(self, name: str) -> Verdict:
        """A permit for this caller, or how long there is none."""
        hand = self._hand(name)
        async with hand.lock:
            now = self._app.clock.now_ms()
            if now < hand.refused_until:
                return Verdict(allowed=False, left=0, reset=_seconds(hand.refused_until - now))
            if hand.permits == 0 or now >= hand.until:
                await self._lease(name, hand, now)
                now = self._app.clock.now_ms()  # the write may take long, and what it paid for is new then
                hand.until = now + LEASE_MS
            if hand.permits == 0:
                hand.refused_until = now + hand.granted.next_ms
                return Verdict(allowed=False, left=0, reset=_seconds(hand.granted.next_ms))
            hand.permits -= 1
            left = hand.permits + math.floor(hand.granted.left)
            return Verdict(allowed=True, left=left, reset=_seconds(hand.granted.full_ms))

    async def _lease(self, name: str, hand: _Hand, now: int) -> None:
        """Twice as many as the last time, while they go within their second."""
        rush = now < hand.until
        hand.want = min(hand.want * 2, MOST, max(1, self._rate.count // SHARE)) if rush else 1
        asked = Lease(name, hand.want, self._rate.count, self._rate.per_ms)
        hand.granted = await self._app.database.write(buckets.lease, asked)
        hand.permits = hand.granted.permits

    def _hand(self, name: str) -> _Hand:
        if name not in self._hands and len(self._hands) >= CALLERS:
            now = self._app.clock.now_ms()
            self._hands = {
                key: one for key, one in self._hands.items() if max(one.until, one.refused_until) > now
            }
        return self._hands.setdefault(name, _Hand())


def _seconds(milliseconds: int) -> int:
    return max(1, math.ceil(milliseconds / 1000))


class Rationed:
    """Counts the requests of each caller who is known; nobody else gets further than a 401."""

    def __init__(self, app: ASGIApp, *, permits: Permits, rate: Rate) -> None:
        self._app = app
        self._permits = permits
        self._policy = f'"default";q={rate.count};w={max(1, math.ceil(rate.per_ms / 1000))}'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        connection = Request(scope)
        try:
            principal = await identify(connection)
            verdict = await self._permits.take(name_of(principal))
        except NotAllowed:
            await self._app(scope, receive, send)
            return
        except DulyError as error:
            refusal = await on_duly_error(connection, error)
            if refusal is not None:
                await refusal(scope, receive, send)
            return
        told = {
            "RateLimit-Policy": self._policy,
            "RateLimit": f'"default";r={verdict.left};t={verdict.reset}',
        }
        if not verdict.allowed:
            more = {"type": QUOTA_EXCEEDED, "violated-policies": ["default"]}
            detail = f"too many requests; come back in {verdict.reset} s"
            headers = {**told, "Retry-After": str(verdict.reset)}
            answer = problem(connection, 429, "rate_limited", detail, headers=headers, more=more)
            await answer(scope, receive, send)
            return

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        await self._app(scope, receive, tell)
