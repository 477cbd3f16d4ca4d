"""Follows one task on the screen: a bar, what it says and streams; plain lines where there is no terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import TYPE_CHECKING, Any, cast

from duly.cli.desk import Desk, Json
from duly.cli.result import readable
from duly.cli.screen import Screen, clean, one_line
from duly.cli.table import took

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rich.live import Live

TAIL_LINES = 6
BAR_COLUMNS = 24
#: A task that has not begun by then is explained.
PATIENCE_SECONDS = 2.0
#: A batch is counted so often; its own timeline is silent while its members run.
COUNT_SECONDS = 1.0
#: Where events say why or what for, and those that are told as a line of their own.
REASONS = ("error", "reason", "signal", "external_id", "name", "queue")
TOLD = (
    *("retry", "lost", "handed_back", "waiting", "signalled", "woken", "job"),
    *("cancel_requested", "retried", "moved", "aged"),
)


class Progress:
    """What is known of a running task, redrawn with each event."""

    def __init__(self, screen: Screen, label: str) -> None:
        self._screen = screen
        self._label = label
        self._done = 0.0
        self._message = ""
        self._streamed = ""
        #: Whether an attempt has begun.
        self.started = False
        self._live: Live | None = None

    def shown(self) -> AbstractContextManager[Any]:
        """The live display; nothing where the answer is JSON or no terminal."""
        if self._screen.json or not self._screen.console.is_terminal:
            return nullcontext()
        from rich.live import Live

        self._live = Live(console=self._screen.console, transient=True, auto_refresh=False)
        return self._live

    def take(self, event: Json) -> None:
        """Shows one event of the task."""
        if self._screen.json:
            self._screen.line(event)
            return
        self._understand(event)
        if self._live is not None:
            self._live.update(self._drawn(), refresh=True)

    def _understand(self, event: Json) -> None:
        data = event["data"]
        match event["type"]:
            case "progress":
                self._done = data.get("progress") or self._done
                self._message = one_line(data.get("message") or "")
                self.tell(f"{self._done * 100:3.0f} %  {self._message}")
            case "partial":
                self._streamed += clean(data["text"])
            case "started":
                self.started, self._streamed = True, ""
            case kind if kind in TOLD:
                reason = next((data[key] for key in REASONS if data.get(key)), "")
                self.tell(f"       {self._screen.say(kind)} {one_line(reason)}".rstrip())

    def count(self, task: Json) -> None:
        """Shows how many members of a batch have ended, and how."""
        stand = task["batch"]
        ends = {word: stand[word] for word in ("completed", "failed", "cancelled")}
        self._done = task["progress"] or self._done
        said = [f"{self._screen.say(word)}: {count}" for word, count in ends.items() if count]
        words = self._screen.say("members", ended=sum(ends.values()), total=stand["total"])
        line = f"{self._done * 100:3.0f} %  {', '.join([words, *said])}"
        if line != self._message:
            self._message = line
            self.tell(line)
            if self._live is not None:
                self._live.update(self._drawn(), refresh=True)

    def tell(self, line: str) -> None:
        """A line of text above the bar; nothing where the answer is JSON."""
        if not self._screen.json:
            self._screen.show(line)

    def _drawn(self) -> Any:
        from rich.console import Group
        from rich.text import Text

        full = round(self._done * BAR_COLUMNS)
        bar = Text.assemble(
            ("━" * full, "green"),
            ("━" * (BAR_COLUMNS - full), "bright_black"),
            f" {self._done * 100:3.0f} %  ",
            self._label,
        )
        bar.no_wrap, bar.overflow = True, "ellipsis"
        tail = self._streamed.splitlines()[-TAIL_LINES:]
        return Group(bar, *(Text(line, style="italic", overflow="ellipsis", no_wrap=True) for line in tail))


async def watched(desk: Desk, id_: str, screen: Screen, *, seconds: float = float("inf")) -> Json:
    """The task when it has ended, or as it stands after `seconds`; meanwhile it is shown."""
    task = await desk.get(id_)
    progress = Progress(screen, f"{one_line(task['task_type'])} {id_[-8:]}")
    beside = [asyncio.create_task(_explain(desk, id_, progress))]
    if task.get("batch") and not screen.json:
        beside.append(asyncio.create_task(_count(desk, id_, progress)))
    try:
        with progress.shown():
            async with asyncio.timeout(None if seconds == float("inf") else seconds):
                await each(desk.follow(id_), progress.take)
    except TimeoutError:
        pass
    finally:
        for one in beside:
            one.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    return await desk.get(id_)


async def _explain(desk: Desk, id_: str, progress: Progress) -> None:
    """Says why nothing happens yet, when nothing happens: mostly, no worker runs."""
    await asyncio.sleep(PATIENCE_SECONDS)
    if not progress.started:
        progress.tell(clean((await desk.why(id_))["summary"]))


async def _count(desk: Desk, id_: str, progress: Progress) -> None:
    while True:
        progress.count(await desk.get(id_))
        await asyncio.sleep(COUNT_SECONDS)


async def each(events: AsyncIterator[Json], take: Callable[[Json], None]) -> None:
    """Hands on every event, and closes what they came from."""
    async with aclosing(cast("AsyncGenerator[Json]", events)) as source:
        async for event in source:
            take(event)


def show_end(task: Json, screen: Screen) -> None:
    """How the task stands, in a line, and its result or error below."""
    if screen.json:
        screen.line(task)
        return
    from rich.text import Text

    head = Text.assemble(
        screen.status(task["status"]),
        "  ",
        one_line(task["task_type"]),
        "  ",
        task["id"],
        "  ",
        took(task, screen),
    )
    screen.show(head)
    if task["error"] or task["error_code"]:
        screen.show(f"{task['error_code'] or ''}: {clean(task['error'] or '')}")
    if task["result"] is not None:
        screen.show(*readable(task["result"], screen))
