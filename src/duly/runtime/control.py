"""The pipe between the supervising parent and its child: one JSON object per line, both ways.

Child to parent: `session` (renew this one), `ready`, `beat` (my loop turns; its next handler must have ended
in so many seconds), `suspects` (some wait for a quarantine child), `last_words` (record these once I am
gone), `ending` (the exit code that I mean).
Parent to child: `lost` (this session was ended by others), `sibling` (the session of the quarantine child),
`suspects` (to that one: some were just given back).
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any


class Pipe:
    """One end. Messages are small; a send never waits for the other side's answer."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._rest = b""

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def send(self, **message: Any) -> None:
        """Sends one message; a closed other end is not an error, its own watcher will notice."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return

    def receive(self) -> list[dict[str, Any]] | None:
        """The complete messages of one read; None when the other end is gone.

        Raises:
            BlockingIOError: nothing is there now, and the socket does not wait.
        """
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionError:
            return None
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines if line]

    def close(self) -> None:
        """Closes this end."""
        self._socket.close()


class ChildPipe(Pipe):
    """The child's end: a thread listens; when the parent is gone the process ends at once, lease or not."""

    def listen(self, handle: Callable[[dict[str, Any]], None]) -> None:
        """Calls `handle` on the listening thread for each message."""
        threading.Thread(target=self._listen, args=(handle,), name="duly-control", daemon=True).start()

    def _listen(self, handle: Callable[[dict[str, Any]], None]) -> None:
        while (messages := self.receive()) is not None:
            for message in messages:
                handle(message)
        os._exit(3)  # nobody renews our lease any more: stop before others start our tasks
