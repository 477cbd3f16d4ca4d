"""What the commands on many tasks share: who is chosen, parts of a size, and the line that counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from duly.cli.desk import Choice, Desk, Json
    from duly.cli.screen import Screen
    from duly.cli.tasks import Wanted

#: One request acts on so many at most.
PART = 1000

Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
Ids = Annotated[
    list[str] | None, typer.Argument(help="Of these tasks only: ids, or their ends.", metavar="ID")
]


async def choice(desk: Desk, wanted: Wanted, ids: Sequence[str] | None) -> Choice:
    """What the options and arguments name."""
    from duly.cli.desk import Choice, resolved
    from duly.cli.tasks import narrowed

    return Choice(where=await narrowed(desk, wanted), ids=[await resolved(desk, one) for one in ids or ()])


async def in_parts(ask: Callable[[int], Awaitable[Json]], word: str, limit: int) -> Json:
    """Asks until nothing more fits or the limit is reached; the parts' sum."""
    count = 0
    while True:
        said = await ask(min(PART, limit - count))
        count += said[word]
        if not said["more"] or count >= limit:
            return {word: count, "more": said["more"]}


def counted(said: Json, screen: Screen, word: str, text: str) -> None:
    """Says how many, and whether there are more."""
    if screen.json:
        screen.write(said)
        return
    screen.show(screen.say(text, count=said[word]))
    if said["more"]:
        screen.show(screen.say("more_fit"))
