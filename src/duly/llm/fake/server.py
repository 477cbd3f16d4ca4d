"""HTTP/1.1 by hand on loopback: chat completions, Bailian's app completion, the log and the bill.

A connection serves one request. `GET /_log` and `GET /_bill` tell what came and what was billed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from duly.llm.fake import answers
from duly.llm.fake.book import Book
from duly.llm.fake.script import Fault, Script

MOST_BODY = 32 * 1024 * 1024
#: Characters of one piece of a stream, and of a byte that drips.
PIECE = 16
#: What each refusal says, in the words of who invented it.
_REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "rate_limit": (429, "rate_limit_exceeded", "Requests rate limit exceeded"),
    "quota": (429, "insufficient_quota", "You exceeded your current quota, please check your plan"),
    "unauthorized": (401, "invalid_api_key", "Incorrect API key provided."),
    "arrearage": (400, "Arrearage", "Access denied, please make sure your account is in good standing."),
    "filtered": (400, "DataInspectionFailed", "Input data may contain inappropriate content."),
}
#: How a request ends that nobody can answer: its client has gone, we stop, or it is no request.
_GONE = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError, ValueError)
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(slots=True)
class Reply:
    """The work of one request, done and billed, and how it is told."""

    model: str
    text: str
    finish_reason: str | None
    usage: dict[str, int] | None
    number: int

    def whole(self) -> dict[str, Any]:
        """As one chat completion."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": self.text},
            "finish_reason": self.finish_reason,
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage}

    def piece(self, text: str | None, finish_reason: str | None = None) -> dict[str, Any]:
        """As a piece of a stream."""
        delta = {"content": text} if text is not None else {}
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def last(self) -> dict[str, Any]:
        """The piece that says what was used."""
        return {**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage}

    def app(self) -> dict[str, Any]:
        """As Bailian's app completion."""
        used = self.usage or {}
        models = [
            {
                "model_id": self.model or "scripted",
                "input_tokens": used.get("prompt_tokens"),
                "output_tokens": used.get("completion_tokens"),
            }
        ]
        output = {"text": self.text, "finish_reason": self.finish_reason, "session_id": f"fake-{self.number}"}
        return {"output": output, "usage": {"models": models}, "request_id": f"fake-{self.number}"}

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-fake-{self.number}",
            "object": kind,
            "created": 0,
            "model": self.model,
            "system_fingerprint": "duly-fake-llm",
        }


class FakeServer:
    """A fake model server; `start`, then `port` and `book` tell where and what."""

    def __init__(self, script: Script | None = None) -> None:
        self.script = script or Script()
        self.book = Book()
        self.port = 0
        self.began = 0.0
        self._met: dict[int, int] = {}
        self._said: dict[int, int] = {}
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL that a provider is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self, port: int = 0) -> None:
        """Listens on loopback; port 0 takes a free one."""
        self.began = asyncio.get_running_loop().time()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes all connections."""
        if self._server is not None:
            self._server.close()
        for one in list(self._busy):
            one.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
        self.book.at_once += 1
        self.book.most_at_once = max(self.book.most_at_once, self.book.at_once)
        try:
            with contextlib.suppress(
                OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError
            ):
                method, path, body = await _request(reader)
                await self._answer(method, path, body, writer)
        finally:
            self.book.at_once -= 1
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if method == "GET":
            words = {"/_log": self.book.log_words, "/_bill": self.book.bill_words}.get(path)
            await _send(writer, 200 if words else 404, words() if words else _problem("not_found", path))
            return
        asked = json.loads(body or b"{}")
        app = path.endswith("/completion") and "/apps/" in path
        if not app and not path.endswith("/chat/completions"):
            await _send(writer, 404, _problem("not_found", path))
            return
        await self._call(path, asked, writer, app=app)

    async def _call(
        self, path: str, asked: Mapping[str, Any], writer: asyncio.StreamWriter, *, app: bool
    ) -> None:
        prompt, model, stream = (
            answers.prompt_of(asked),
            str(asked.get("model", "")),
            bool(asked.get("stream")),
        )
        at = asyncio.get_running_loop().time() - self.began
        line = self.book.came(path, model, prompt, stream=stream, at=at)
        fault = self.script.fault_of(line["n"], prompt, model, self._met)
        line["fault"] = fault.kind if fault else None
        if fault is not None and await _refused(fault, writer, app=app):
            return
        await asyncio.sleep(self.script.latency)
        reply = self._work(asked, prompt, model, line, fault)
        if app:
            inner = fault is not None and fault.kind == "inner_error"
            await _send(writer, 200, _inner(fault)["error"] if fault and inner else reply.app())
        else:
            await (_stream if stream else _whole)(writer, reply, fault)

    def _work(
        self,
        asked: Mapping[str, Any],
        prompt: str,
        model: str,
        line: dict[str, Any],
        fault: Fault | None,
    ) -> Reply:
        """Does what is billed."""
        text = answers.answer(self.script, asked, self._said)
        usage = {"prompt_tokens": answers.tokens(prompt), "completion_tokens": answers.tokens(text)}
        self.book.bill(line, **usage)
        kind = fault.kind if fault else ""
        if kind == "length":
            text = text[: len(text) // 2]
        return Reply(
            model=model,
            text=text,
            finish_reason="length" if kind == "length" else "stop",
            usage=None if kind == "no_usage" else {**usage, "total_tokens": sum(usage.values())},
            number=line["n"],
        )


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    length = int(fields.get("content-length", 0))
    if length > MOST_BODY:
        raise ValueError(length)
    return method, path.partition("?")[0], await reader.readexactly(length)


async def _refused(fault: Fault, writer: asyncio.StreamWriter, *, app: bool) -> bool:
    """Whether the fault comes before any work; then it has been told."""
    if fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
        return True
    if fault.kind == "html":
        await _send(writer, 200, "<html><body>Sign in to the network</body></html>", kind="text/html")
        return True
    if fault.kind == "no_choices":
        await _send(writer, 200, {"object": "chat.completion", "choices": []})
        return True
    if fault.kind == "error":
        status, code, message = fault.status, "internal_error", "The server had an error."
    elif fault.kind in _REFUSALS:
        status, code, message = _REFUSALS[fault.kind]
    else:
        return False
    extra = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    words = {"code": code, "message": message, "request_id": "fake"} if app else _problem(code, message)
    await _send(writer, status, words, extra=extra)
    return True


def _inner(fault: Fault) -> dict[str, Any]:
    return _problem(fault.code, "The answer was held back.")


def _problem(code: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": code, "param": None, "code": code}}


async def _whole(writer: asyncio.StreamWriter, reply: Reply, fault: Fault | None) -> None:
    """One body, or what the fault makes of it."""
    kind = fault.kind if fault else ""
    body = json.dumps(reply.whole(), ensure_ascii=False).encode()
    if kind == "reset":
        _reset(writer)
    elif kind == "inner_error" and fault is not None:
        await _send(writer, 200, _inner(fault))
    elif kind == "broken_json":
        await _send(writer, 200, body[: len(body) // 2].decode("utf-8", "ignore"))
    elif kind == "truncated":
        writer.write(_head(200, "application/json", len(body)) + body[: len(body) // 2])
        await writer.drain()
    elif kind in ("drip", "endless") and fault is not None:
        writer.write(_head(200, "application/json", len(body)))
        for place in range(len(body)):
            writer.write(body[place : place + 1])
            await writer.drain()
            await asyncio.sleep(fault.seconds / len(body))
    else:
        await _send(writer, 200, body.decode())


async def _stream(writer: asyncio.StreamWriter, reply: Reply, fault: Fault | None) -> None:
    """Server-sent events, or what the fault makes of them."""
    kind = fault.kind if fault else ""
    writer.write(_head(200, "text/event-stream", None))
    pieces = [reply.text[at : at + PIECE] for at in range(0, len(reply.text), PIECE)]
    if kind in ("reset", "truncated", "broken_json", "inner_error"):
        pieces = pieces[: len(pieces) // 2]
    pause = fault.seconds / max(1, len(pieces)) if fault and kind == "drip" else 0
    for one in pieces:
        await _event(writer, reply.piece(one))
        await asyncio.sleep(pause)
    if kind == "reset":
        _reset(writer)
    elif kind == "broken_json":
        writer.write(b'data: {"choices": [{"delta": {"cont\n\n')
    elif kind == "inner_error" and fault is not None:
        await _event(writer, _inner(fault))
    elif kind == "endless" and fault is not None:
        await asyncio.sleep(fault.seconds)
    elif kind != "truncated":
        await _event(writer, reply.piece(None, reply.finish_reason))
        await _event(writer, reply.last())
        writer.write(b"data: [DONE]\n\n")
    with contextlib.suppress(OSError):
        await writer.drain()


async def _event(writer: asyncio.StreamWriter, words: Mapping[str, Any]) -> None:
    writer.write(f"data: {json.dumps(words, ensure_ascii=False)}\n\n".encode())
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection the hard way: the answer is lost, the work was done."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _send(
    writer: asyncio.StreamWriter,
    status: int,
    words: Mapping[str, Any] | str,
    *,
    kind: str = "application/json",
    extra: Mapping[str, str] | None = None,
) -> None:
    body = (words if isinstance(words, str) else json.dumps(words, ensure_ascii=False)).encode()
    writer.write(_head(status, kind, len(body), extra) + body)
    await writer.drain()


def _head(status: int, kind: str, length: int | None, extra: Mapping[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}", f"Content-Type: {kind}"]
    lines += [] if length is None else [f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in (extra or {}).items()]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode()


async def serve(port: int, script: Script, ready: Callable[[FakeServer], None]) -> None:
    """Serves until it is cancelled."""
    server = FakeServer(script)
    await server.start(port)
    ready(server)
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop()
