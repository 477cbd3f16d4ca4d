"""How long a database on the network is waited for: it may be gone without a word, or there and say nothing.

A server ends a statement after five seconds (`statement_timeout`, `max_statement_time`); its client waits a
little longer, whatever the reason of the silence, and takes the connection for lost.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Generator
from typing import Any, TypeVar

R = TypeVar("R")

CONNECT_SECONDS = 5
ANSWER_SECONDS = 6
#: An idle connection whose other end is gone is found out within some twenty seconds.
IDLE_SECONDS, PROBE_SECONDS, PROBES = 10, 3, 3
#: The same in libpq's words.
LIBPQ: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "tcp_user_timeout": ANSWER_SECONDS * 1000,
    "keepalives_idle": IDLE_SECONDS,
    "keepalives_interval": PROBE_SECONDS,
    "keepalives_count": PROBES,
}


class NoAnswer(Exception):
    """The server has said nothing for `ANSWER_SECONDS`."""

    def __init__(self) -> None:
        super().__init__(f"no answer within {ANSWER_SECONDS} s")


def timely(steps: Generator[Any, Any, R], seconds: float) -> Generator[Any, Any, R]:
    """The same steps of waiting for a socket, but not for longer than this.

    Raises:
        NoAnswer: the last one was not ready in time.
    """
    give_up_at, late = time.monotonic() + seconds, False
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if late and not ready:
                raise NoAnswer
            # Once more, for the time may have gone by before we could look.
            late = not ready and time.monotonic() >= give_up_at
            wanted = steps.send(ready)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def keep_in_touch(connection: socket.socket) -> None:
    """Has the kernel end a TCP connection whose other end is gone."""
    if connection.family == socket.AF_UNIX:
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", IDLE_SECONDS),
        ("TCP_KEEPINTVL", PROBE_SECONDS),
        ("TCP_KEEPCNT", PROBES),
        ("TCP_USER_TIMEOUT", ANSWER_SECONDS * 1000),
    ):
        if hasattr(socket, name):  # Linux has them all
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
