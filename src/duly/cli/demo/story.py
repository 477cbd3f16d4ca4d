"""The demo in the order in which it happens; each promise is held against what was seen, not assumed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from standardwebhooks import Webhook

from duly.cli import history
from duly.cli.demo.problems import Broken, expect
from duly.cli.demo.receiver import Post, Receiver, receiving
from duly.cli.demo.server import KILL_AFTER, Server, running
from duly.cli.demo.telling import say, say_next
from duly.cli.progress import each
from duly.cli.remote import HttpDesk
from duly.cli.result import is_findings, readable
from duly.cli.screen import Screen, one_line
from duly.cli.shell import Refusal
from duly.clock import SystemClock
from duly.config import load
from duly.runtime import credentials

WEBHOOK_SECONDS = 20.0
Json = dict[str, Any]

__all__ = ["Broken", "tell"]


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the run has shown so far."""

    screen: Screen
    server: Server
    clock: SystemClock = field(default_factory=SystemClock)
    events: list[Json] = field(default_factory=list)
    noticed: float | None = None

    def take(self, event: Json) -> None:
        """Shows what an event says, and keeps it."""
        self.events.append(event)
        data = event["data"]
        match event["type"]:
            case "progress":
                self.screen.show(f"  {data['progress'] * 100:3.0f} %  {one_line(data.get('message') or '')}")
            case "lost" | "handed_back":
                self.noticed = self.clock.monotonic()
                steps = len(history.steps(self.events))
                say(self.screen, "killed", pid=self.server.killed(), steps=steps)
            case "started" if self.noticed is not None:
                ms = round((self.clock.monotonic() - self.noticed) * 1000)
                say(self.screen, "resumed", attempt=data["attempt"], ms=ms)


async def tell(document: Path, folder: Path, screen: Screen) -> Json:
    """Plays the demo; answers its last line.

    Raises:
        Broken: something that Duly promises did not happen.
    """
    clock = SystemClock()
    began = clock.monotonic()
    say(screen, "starting")
    async with receiving() as receiver, running(folder) as server:
        say(screen, "serving", url=server.url)
        secrets = credentials.read(load({"database_url": server.database_url}, {}))
        headers = {"Authorization": f"Bearer {secrets.token}"}
        async with httpx2.AsyncClient(
            base_url=server.url, headers=headers, timeout=30, trust_env=False
        ) as client:
            facts = await _play(client, receiver, document, Seen(screen=screen, server=server))
        facts["deliveries"] = await _webhook(receiver, secrets.webhook_secret, facts.pop("id"), screen)
    say_next(screen)
    return {"demo": "ok", **facts, "seconds": round(clock.monotonic() - began, 1)}


async def _play(client: httpx2.AsyncClient, receiver: Receiver, document: Path, seen: Seen) -> Json:
    """Hands the document in, follows it through the kill to its end; answers what was measured."""
    accepted, ms = await _handed_in(client, document, receiver.url)
    say(seen.screen, "accepted", name=document.name, size=document.stat().st_size, ms=ms, id=accepted["id"])
    desk = HttpDesk(client, seen.server.url)
    try:
        await each(desk.follow(accepted["id"]), seen.take)
        task = await desk.get(accepted["id"])
    except Refusal as error:
        raise Broken(str(error)) from None
    expect(
        task["status"] == "completed", f"the task is {task['status']}: {task['error'] or task['error_code']}"
    )
    measured = _survival(task, seen)
    measured["findings"] = _findings(task["result"], seen.screen)
    return {"id": task["id"], **measured, "accepted_ms": ms}


async def _handed_in(client: httpx2.AsyncClient, document: Path, callback: str) -> tuple[Json, int]:
    """The accepted task, and the milliseconds from sending the first byte to having the answer."""
    clock, data = SystemClock(), document.read_bytes()
    began = clock.monotonic()
    response = await client.post(
        "/api/tasks/bidding/file", files={"file": (document.name, data)}, data={"callback_url": callback}
    )
    ms = round((clock.monotonic() - began) * 1000)
    expect(
        response.status_code == 202,
        f"the document was not accepted: {response.status_code} {response.text[:200]}",
    )
    return response.json(), ms


def _survival(task: Json, seen: Seen) -> Json:
    """What the kill cost: read off the task's own timeline and the mark that the killed process left."""
    steps, twice, pid = history.steps(seen.events), history.computed_twice(seen.events), seen.server.killed()
    kept = sum(step["attempt"] < task["attempt"] for step in steps)
    expect(pid is not None, "no process was killed: the server left no mark")
    expect(task["attempt"] == 2, f"the task took {task['attempt']} attempts, not 2")
    expect(kept == KILL_AFTER, f"{kept} steps were read from the record, not {KILL_AFTER}")
    expect(not twice, f"computed twice: {', '.join(twice)}")
    say(seen.screen, "record", kept=kept, steps=len(steps), recomputed=len(twice))
    return {
        "attempts": task["attempt"],
        "steps": len(steps),
        "steps_recomputed": len(twice),
        "killed_pid": pid,
    }


def _findings(result: Any, screen: Screen) -> int:
    """Shows the findings; answers how many there are."""
    expect(is_findings(result), "the result holds no findings")
    screen.show(*readable({"summary": result["summary"], "tabs": result["tabs"]}, screen), "")
    count = sum(item["value"] is not None for tab in result["tabs"] for item in tab["items"])
    expect(count, "nothing was found in the document")
    say(screen, "findings", count=count)
    return count


async def _webhook(receiver: Receiver, secret: str, id_: str, screen: Screen) -> int:
    """Waits for the signed answer and verifies it; answers how many arrived."""
    try:
        async with asyncio.timeout(WEBHOOK_SECONDS):
            await receiver.arrived.wait()
    except TimeoutError:
        raise Broken(f"no webhook arrived within {WEBHOOK_SECONDS:g} s") from None
    for post in receiver.posts:
        body = _verified(post, secret)
        expect(body["data"]["id"] == id_, "a webhook of another task arrived")
        expect(body["type"] == "task.completed", f"the webhook says {body['type']}")
    say(screen, "webhook", id=receiver.posts[0].headers["webhook-id"])
    return len(receiver.posts)


def _verified(post: Post, secret: str) -> Mapping[str, Any]:
    try:
        Webhook(secret).verify(post.body, post.headers)
    except Exception as error:  # noqa: BLE001 - the library's errors share no base of their own
        raise Broken(f"the webhook's signature does not hold: {error}") from None
    verified: Json = json.loads(post.body)
    return verified
