"""HTTP/1.1 with a deadline for the receipt of each request: uvicorn waits for ever for what trickles in.

The head of a request has `terms.seconds`; a body as long, and a second more for each KiB that has come, but
never more than `terms.seconds` of silence: what came early buys none. Time in which we do not read is not
counted: the application is slow then. What the protocol itself refuses is a problem (RFC 9457) as well.
Decision 0050 says why this is ours.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from ipaddress import IPv4Address, ip_address
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

#: The slowest body that may last longer than a head: bytes a second.
SLOWEST = 1024
#: Bytes of a request's line and headers together.
HEAD_BYTES = 65_536


def _phrase(_code: str, status: int) -> str:
    return HTTPStatus(status).phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one process grants: seconds for a request to arrive, connections at once, and from one peer.

    `per_peer` of 0 is no limit. `title` is that of a problem, by its code and status, in English: when one is
    told here no header may have been read.
    """

    seconds: float
    connections: int
    per_peer: int = 0
    title: Callable[[str, int], str] = _phrase


def _peer(client: tuple[str, int] | None) -> str | None:
    """Whom a connection is counted for; None: nobody, for it came from this machine."""
    return _counted(client[0]) if client else None


@lru_cache(8192)
def _counted(address: str) -> str | None:
    """A host of IPv6 has as many addresses as it likes: its network of 64 bits is one peer."""
    one = ip_address(address)
    one = getattr(one, "ipv4_mapped", None) or one
    if one.is_loopback:
        return None
    return str(one) if isinstance(one, IPv4Address) else f"{int(one) >> 64:x}/64"


class Receipt(H11Protocol):
    """One connection."""

    def __init__(self, terms: Terms, **of_uvicorn: Any) -> None:
        super().__init__(**of_uvicorn)
        self._terms = terms
        self._timer: asyncio.TimerHandle | None = None
        self._begun = self._heard = 0.0
        self._received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """A connection that says nothing is a request that does not arrive."""
        super().connection_made(transport)
        if len(self.connections) > self._terms.connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "there are too many connections")
        elif self._crowded:
            said = "there are too many connections from this address"
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", said)
        else:
            self._begin()

    def data_received(self, data: bytes) -> None:
        """Counts what comes, and lets uvicorn read it."""
        if self._timer is None:
            self._begin()
        self._received += len(data)
        self._heard = self.loop.time()
        super().data_received(data)
        if self._arrived:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._end()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What h11 refuses: 431 for a head that is too large, 400 or 501 for the rest."""
        error = sys.exc_info()[1]
        status = HTTPStatus(error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400)
        large = status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        code = "headers_too_large" if large else "bad_request"
        self._refuse(status, code, "the headers are too large" if large else msg)

    @property
    def _crowded(self) -> bool:
        """Whether too many of the connections are of this peer, WebSockets too."""
        most, peer = self._terms.per_peer, _peer(self.client)
        if peer is None or not 0 < most < len(self.connections):
            return False
        return sum(_peer(getattr(one, "client", None)) == peer for one in self.connections) > most

    @property
    def _arrived(self) -> bool:
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return True
        if self.conn.their_state is h11.IDLE:  # after an answer: what is there is the next one's beginning
            return not self.conn.trailing_data[0]
        return self.conn.their_state is not h11.SEND_BODY

    def _begin(self) -> None:
        self._begun = self._heard = self.loop.time()
        self._received = 0
        self._timer = self.loop.call_later(self._terms.seconds, self._look)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Whether the time is over."""
        now = self.loop.time()
        if self.flow.read_paused:
            self._begun = self._heard = now
        body = self.conn.their_state is h11.SEND_BODY
        credit = self._received / SLOWEST if body else 0
        over = min(self._begun + credit, self._heard) + self._terms.seconds
        if now < over:
            self._timer = self.loop.call_at(over, self._look)
            return
        self._timer = None
        seconds = f"{self._terms.seconds:g}"
        self._refuse(
            HTTPStatus.REQUEST_TIMEOUT, "request_timeout", f"the request did not arrive within {seconds} s"
        )

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        """Answers if nothing was answered yet, and closes."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.write(self._answer(status, code, detail))
        self.transport.close()

    def _answer(self, status: HTTPStatus, code: str, detail: str) -> bytes:
        problem = {
            "type": f"/problems/{code.replace('_', '-')}",
            "title": self._terms.title(code, status.value),
            "status": status.value,
            "detail": detail,
            "code": code,
            "instance": "/",
        }
        body = json.dumps(problem).encode()
        headers = [
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        events: list[h11.Event] = [
            h11.Response(status_code=status, headers=headers, reason=status.phrase.encode()),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ]
        return b"".join(cast("bytes", self.conn.send(event)) for event in events)
