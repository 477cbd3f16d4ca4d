"""Questions about several parts of a document at once, so few that a crash pays little again."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar

from duly import Fail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

P = TypeVar("P")
A = TypeVar("A")
#: How many at once, if not 4: answers that are under way when a worker dies are paid again.
AT_ONCE_ENV = "TENDER_AT_ONCE"


def bound() -> int:
    """How many parts are asked about at once.

    Raises:
        Fail: the environment says something else than 1 to 64.
    """
    given = os.environ.get(AT_ONCE_ENV, "4")
    if not given.isdecimal() or not 1 <= int(given) <= 64:
        raise Fail("invalid_setting", f"{AT_ONCE_ENV} is 1 to 64, not {given!r}")
    return int(given)


async def each(ask: Callable[[int, P], Awaitable[A]], parts: Sequence[P]) -> list[A]:
    """What `ask(number, part)` answers to each, in order; numbers count from 1.

    After an error no further part is begun, and those under way end first: their answers are paid.
    """
    answers: dict[int, A] = {}
    errors: list[Exception] = []
    waiting = iter(enumerate(parts, 1))

    async def work() -> None:
        for number, part in waiting:
            try:
                answers[number] = await ask(number, part)
            except Exception as error:  # noqa: BLE001 - raised below, once the others have ended
                errors.append(error)
            if errors:
                return

    await asyncio.gather(*(work() for _ in range(min(bound(), len(parts)))))
    if errors:
        raise errors[0]
    return [answers[number] for number in sorted(answers)]
