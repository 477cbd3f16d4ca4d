"""The demo in the order in which it happens; each promise is held against what was seen, not assumed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from standardwebhooks import Webhook

from duly.cli import history
from duly.cli.demo.problems import Broken, expect
from duly.cli.demo.receiver import Post, Receiver, receiving
from duly.cli.demo.server import KILL_AFTER, Server, running
from duly.cli.demo.telling import say, say_next
from duly.cli.progress import each
from duly.cli.remote import HttpDesk
from duly.cli.result import findings, is_findings
from duly.cli.screen import Screen, clean, one_line
from duly.cli.shell import Refusal
from duly.cli.words import span
from duly.clock import SystemClock, parse_iso
from duly.config import load
from duly.runtime import credentials

if TYPE_CHECKING:
    from duly.cli.demo.command import Document

WEBHOOK_SECONDS = 20.0
#: Findings that are shown of each tab; the task holds them all.
SHOWN = 4
Json = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the run has shown so far."""

    screen: Screen
    server: Server
    events: list[Json] = field(default_factory=list)
    killed: bool = False

    def take(self, event: Json) -> None:
        """Shows what an event says, and keeps it."""
        self.events.append(event)
        data = event["data"]
        match event["type"]:
            case "step":
                took = span(data["duration_ms"], self.screen.language)
                say(self.screen, "step", name=one_line(data["name"]), attempt=data["attempt"], took=took)
            case "lost" | "handed_back":
                say(self.screen, "given_back", steps=len(history.steps(self.events)))
            case "started" if data["attempt"] > 1:
                say(self.screen, "resumed", attempt=data["attempt"], after=self._gap())

    def broke(self) -> None:
        """The connection broke: says who was killed, once his mark is there."""
        pid = self.server.killed()
        if pid is not None and not self.killed:
            self.killed = True
            say(self.screen, "killed", pid=pid)

    def _gap(self) -> str:
        """From the last step that was recorded to the start of the attempt that goes on, by the timeline."""
        [*_, last] = history.steps(self.events)
        return span(parse_iso(self.events[-1]["at"]) - parse_iso(last["at"]), self.screen.language)


async def tell(document: Document, folder: Path, screen: Screen) -> Json:
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
    return _last_line(facts, clock.monotonic() - began)


def _last_line(facts: Json, seconds: float) -> Json:
    """The figures in the order in which programs expect them."""
    names = ("attempts", "steps", "steps_recomputed", "findings", "killed_pid", "deliveries", "accepted_ms")
    return {"demo": "ok", **{name: facts[name] for name in names}, "seconds": round(seconds, 1)}


async def _play(client: httpx2.AsyncClient, receiver: Receiver, document: Document, seen: Seen) -> Json:
    """Hands the document in, follows it through the kill to its end; answers what was measured."""
    accepted, ms = await _handed_in(client, document, receiver.url)
    say(seen.screen, "accepted", name=document.name, size=len(document.data), ms=ms, id=accepted["id"])
    desk = HttpDesk(client, seen.server.url, broke=seen.broke)
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


async def _handed_in(client: httpx2.AsyncClient, document: Document, callback: str) -> tuple[Json, int]:
    """The accepted task, and the milliseconds from sending the first byte to having the answer."""
    clock = SystemClock()
    began = clock.monotonic()
    response = await client.post(
        "/api/tasks/bidding/file",
        files={"file": (document.name, document.data)},
        data={"callback_url": callback},
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
    screen.show(clean(result["summary"]), *findings(result["tabs"], screen, most=SHOWN), "")
    found = [item for tab in result["tabs"] for item in tab["items"] if item["value"] is not None]
    expect(found, "nothing was found in the document")
    quoted = sum(_quoted(item) for item in found)
    say(screen, "findings", count=len(found), quoted=quoted)
    return len(found)


def _quoted(item: Json) -> bool:
    """Whether a finding says where it stands: a page, or a paragraph of a document without pages."""
    placed = item.get("page") is not None or item.get("paragraph") is not None
    return placed and bool(item.get("quote"))


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
