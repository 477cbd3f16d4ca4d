"""A TCP proxy that delays, stalls, truncates and resets what passes through it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator

CHUNK = 65_536
#: How many pieces are on their way in one direction.
PIECES = 64
#: What is on its way: when it arrives, by the loop's clock, and the bytes, of which none say the end.
Way = asyncio.Queue[tuple[float, bytes]]
#: SO_LINGER without patience: a close sends a reset.
AT_ONCE = struct.pack("ii", 1, 0)


class Proxy:
    """Passes on to `target` what comes to `port`, on a thread and a loop of its own.

    What it does on the way may be changed at any time.
    """

    def __init__(self, target: tuple[str, int], seed: int = 1) -> None:
        self._target = target
        self._die = random.Random(seed)  # noqa: S311 - hides nothing
        self._loop = asyncio.new_event_loop()
        self._moving = asyncio.Event()
        self._moving.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._over = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self.port = 0
        #: Seconds that each piece takes in each direction.
        self.delay = 0.0
        #: The share of answers that are cut in half, or lost whole and followed by a reset.
        self.damage = 0.0
        self.connections = self.damaged = 0

    def start(self) -> None:
        """Returns when it listens."""
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self._ready.set()
        await self._over.wait()
        server.close()
        self._cut()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _do(self, what: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(what)

    def close(self) -> None:
        """Takes no more, and resets what is open."""
        self._do(self._over.set)
        self._thread.join(10)

    def stall(self) -> None:
        """From now on bytes are taken and stay here, and so are new connections; nobody is told."""
        self._do(self._moving.clear)

    def heal(self) -> None:
        """Everything passes as it is, also what was held."""
        self.delay = self.damage = 0.0
        self._do(self._moving.set)

    def cut(self) -> None:
        """Resets every connection."""
        self._do(self._cut)

    def _cut(self) -> None:
        for writer in self._open:
            reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        ends = {writer}
        self._open.add(writer)
        try:
            await self._moving.wait()
            far_reader, far = await asyncio.open_connection(*self._target)
            ends.add(far)
            self._open.add(far)
            there, back = Way(PIECES), Way(PIECES)
            taking = self._take(reader, there), self._take(far_reader, back)
            leaving = self._leave(there, far, answers=False), self._leave(back, writer, answers=True)
            tasks = [asyncio.ensure_future(one) for one in (*leaving, *taking)]
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        except OSError:
            reset(writer)  # nobody listens there
        except asyncio.CancelledError:
            pass  # a stream's own callback would call it an error
        finally:
            self._open -= ends
            for end in ends:
                end.close()

    async def _take(self, reader: asyncio.StreamReader, way: Way) -> None:
        """Takes what one end sends; at its end, nothing."""
        data = b" "
        while data:
            try:
                data = await reader.read(CHUNK)
            except OSError:
                data = b""
            await way.put((self._loop.time() + self.delay, data))

    async def _leave(self, way: Way, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        """Passes on until one end is gone, or an answer is damaged. A long line holds many pieces at once:
        each arrives its delay after it was sent."""
        with contextlib.suppress(OSError):
            while (piece := await way.get())[1]:
                await asyncio.sleep(piece[0] - self._loop.time())
                await self._moving.wait()
                if answers and self._die.random() < self.damage:
                    await self._spoil(writer, piece[1])
                    return
                writer.write(piece[1])
                await writer.drain()

    async def _spoil(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.damaged += 1
        if self._die.random() < 0.5:
            reset(writer)
        else:
            writer.write(data[: len(data) // 2])
            await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection as if its host had crashed."""
    end = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    writer.transport.abort()


@contextlib.contextmanager
def proxy(host: str, port: int) -> Iterator[Proxy]:
    """One that is there as long as this lasts."""
    one = Proxy((host, port))
    one.start()
    try:
        yield one
    finally:
        one.close()
