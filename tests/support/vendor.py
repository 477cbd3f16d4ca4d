"""A vendor of long work on this host: takes jobs, says how they stand, calls back, deduplicates by key."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2


class Vendor:
    """`async with Vendor() as vendor:`; a test sets the state of `vendor.jobs[id]`, and reads `asked`."""

    def __init__(self) -> None:
        #: id to what the vendor knows of it: status, callback_url, key.
        self.jobs: dict[str, dict[str, Any]] = {}
        #: What was asked, as "POST /jobs".
        self.asked: list[str] = []
        #: The statuses of the next answers, where they are not 200.
        self.breaks: list[int] = []
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Vendor:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    def ends(self, id_: str = "job-1", status: str = "succeeded", **more: Any) -> None:
        """From now on polls hear that this job is over."""
        self.jobs[id_] |= {"status": status, **more}

    async def calls_back(
        self, client: httpx2.AsyncClient, id_: str = "job-1", **said: Any
    ) -> httpx2.Response:
        """Tells whoever submitted the job how it stands."""
        return await client.post(self.jobs[id_]["callback_url"], json=said)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = head[0].split(" ")
        self.asked.append(f"{method} {path}")
        status = self.breaks.pop(0) if self.breaks else 200
        answer = self._answer(method, path.rpartition("/")[2], headers, body) if status == 200 else {}
        text = json.dumps(answer).encode()
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(text)}", "content-type: application/json"]
        writer.write("\r\n".join([*lines, "connection: close", "", ""]).encode() + text)
        await writer.drain()
        writer.close()

    def _answer(self, method: str, id_: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        if method == "POST":
            return self._taken(headers.get("idempotency-key", ""), json.loads(body))
        if method == "DELETE":
            self.jobs[id_]["status"] = "cancelled"
        return {name: value for name, value in self.jobs[id_].items() if name not in ("callback_url", "key")}

    def _taken(self, key: str, wanted: dict[str, Any]) -> dict[str, Any]:
        known = next((job for job in self.jobs.values() if job["key"] == key), None)
        if known is None:
            id_ = f"job-{len(self.jobs) + 1}"
            known = self.jobs[id_] = {"id": id_, "status": "running", "key": key, **wanted}
        return {"id": known["id"]}
