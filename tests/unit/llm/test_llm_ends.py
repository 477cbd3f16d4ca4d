"""A streamed answer is whole when its finish_reason has come, whatever becomes of the line then."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from duly.llm import client as clients
from duly.llm import providers
from duly.llm.client import Client
from duly.llm.failures import RequestFailed
from support.models import question, quiet


class Line(httpx2.AsyncByteStream):
    """Events, and then what becomes of the line."""

    def __init__(self, finishes: list[str | None], end: Exception | None) -> None:
        self.finishes, self.end = finishes, end

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for finish in self.finishes:
            choice = {"index": 0, "delta": {"content": "a"}, "finish_reason": finish}
            piece = {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
            yield f"data: {json.dumps(piece)}\n\n".encode()
        if self.end is not None:
            raise self.end
        await asyncio.Event().wait()


async def asked(finishes: list[str | None], end: Exception | None, idle: float = 60) -> Any:
    """What becomes of an answer over such a line."""

    async def send(request: httpx2.Request, **_: Any) -> httpx2.Response:
        kind = {"content-type": "text/event-stream"}
        return httpx2.Response(200, headers=kind, stream=Line(finishes, end), request=request)

    client = Client(providers.Provider(base_url="http://127.0.0.1:9/v1", model="m", idle=idle), "key")
    client._http.send = send  # type: ignore[method-assign,assignment]
    try:
        return await client.ask(question(), 30, quiet)
    finally:
        await client.close()


ENDS = pytest.mark.parametrize(
    "end", [httpx2.ReadError("reset"), httpx2.RemoteProtocolError("cut"), httpx2.ReadTimeout("away"), None]
)


@ENDS
async def test_a_whole_answer_is_kept_whatever_becomes_of_the_line(
    monkeypatch: pytest.MonkeyPatch, end: Exception | None
) -> None:
    """It is paid for; what was used is unknown. For its usage nobody waits as long as for a piece."""
    monkeypatch.setattr(clients, "USAGE_SECONDS", 0.05)
    began = time.monotonic()
    raw = await asked([None, "stop"], end)
    assert (raw.text, raw.finish_reason, raw.usage) == ("aa", "stop", None)
    assert time.monotonic() - began < 10


@ENDS
@pytest.mark.parametrize("finish", [None, "null"])
async def test_an_answer_without_its_end_is_none(end: Exception | None, finish: str | None) -> None:
    """Some say `null` with each piece."""
    with pytest.raises(RequestFailed):
        await asked([None, finish], end, idle=0.05)
