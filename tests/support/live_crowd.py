"""A thousand idle readers on one server: what they weigh, and what they cost everybody else."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2

from support.live_site import Server, opened

ROUNDS = 300


async def crowd(server: Server, readers: int) -> dict[str, Any]:
    """Memory and the p99 of other requests without them, with them, and without them again."""
    async with httpx2.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
        later = {"task_type": "talk", "due": 86_400, "owner": "bob"}
        ids = [(await client.post("/api/tasks", json=later)).json()["id"] for _ in range(20)]
        await latencies(client, ids)
        before, memory = await latencies(client, ids), server.memory_mb()
        paths = [path for n in range(readers // 2) for path in (f"/api/events?owner=reader{n}", _one(ids, n))]
        held = await asyncio.gather(*[entered(server, path) for path in paths])
        amid, weight = await latencies(client, ids), server.memory_mb() - memory
        for _, writer in held:
            writer.transport.abort()
        after = await latencies(client, ids)
    alone = max(percentile(before, 0.99), percentile(after, 0.99))
    return {
        "readers": len(held),
        "added_mb": round(weight, 1),
        "p50_ms": [round(percentile(one, 0.5), 1) for one in (before, amid, after)],
        "p99_ms": [round(percentile(one, 0.99), 1) for one in (before, amid, after)],
        "p99_ratio": round(percentile(amid, 0.99) / alone, 2),
    }


def _one(ids: list[str], n: int) -> str:
    return f"/api/tasks/{ids[n % len(ids)]}/events"


async def entered(server: Server, path: str) -> tuple[Any, Any]:
    """A reader to whom something was told."""
    reader, writer = await opened(server, path)
    await reader.readuntil(b"event: ")
    return reader, writer


async def latencies(client: httpx2.AsyncClient, ids: list[str]) -> list[float]:
    """Milliseconds of submits and looks, one after the other."""
    took = []
    for n in range(ROUNDS):
        began = time.perf_counter()
        if n % 3:
            answer = await client.get(f"/api/tasks/{ids[n % len(ids)]}")
        else:
            body = {"task_type": "talk", "due": 86_400, "owner": "carl"}
            answer = await client.post("/api/tasks", json=body)
        took.append(1000 * (time.perf_counter() - began))
        answer.raise_for_status()
    return sorted(took)


def percentile(values: list[float], part: float) -> float:
    """Of sorted values."""
    return values[min(len(values) - 1, int(part * len(values)))]
