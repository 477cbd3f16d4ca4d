"""What model calls cost, as the API and the command line report it; currencies stay apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duly.model.errors import InvalidInput
from duly.model.task import check_text
from duly.store import ledger
from duly.store.database import Database
from duly.store.ledger import MOST_ROWS, WORDS, Search

DEFAULT = "owner,model"
_LENGTHS = {"tenant": 64, "owner": 64, "task_type": 100, "model": 200}


def search(by: str, wanted: Mapping[str, str | None]) -> Search:
    """What is asked for: words to group by, with commas; in `wanted` tenant, owner, task_type and model to
    look at, since and until as days.

    Raises:
        InvalidInput: an unknown word, or a day that is none.
    """
    words = tuple(dict.fromkeys(word.strip() for word in by.split(",") if word.strip()))
    if unknown := [word for word in words if word not in WORDS]:
        raise InvalidInput(f"by: {unknown[0][:40]!r} is none of {', '.join(WORDS)}")
    given = {name: value for name, value in wanted.items() if value is not None}
    for name, length in _LENGTHS.items():
        if name in given:
            check_text(given[name], name, length)
    days: dict[str, Any] = {name: _day(name, given[name]) for name in ("since", "until") if name in given}
    named: dict[str, Any] = {name: given[name] for name in _LENGTHS if name in given}
    return Search(by=words, **named, **days)


def _day(name: str, text: str) -> int:
    try:
        return ledger.day_of(text)
    except ValueError:
        raise InvalidInput(f"{name} is a day, as 2026-11-29, not {text[:40]!r}") from None


async def usage(database: Database, wanted: Search) -> dict[str, Any]:
    """The report: `rows` by the words of `by` and by currency, and whether there are `more`.

    A row has calls, of these `discarded` (paid for and of no use), tokens, `uncounted` (calls whose tokens
    are not known), cost and currency (null together), `unpriced` (calls whose cost is not known).
    """
    rows = await database.read(ledger.report, wanted)
    by = [word for word in WORDS if word in wanted.by]
    return {"by": by, "rows": rows[:MOST_ROWS], "more": len(rows) > MOST_ROWS}
