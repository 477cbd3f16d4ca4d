"""The soak's own planted bug: takes the fence away from a worker, and lets sweeps end living sessions.

What is left is a queue on leases alone: whoever still runs writes, whether or not the task is still his.
A soak that finds nothing wrong with this is blind.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from duly.store import claims, journal, transaction, transitions

#: Leases end this much too early, in milliseconds: sessions that were renewed 8 s ago are taken for dead.
EARLY = 22_000

#: In these files, a pattern and what stands there instead.
EDITS = {
    "touch": (r"\s+AND [^;]*'running'", ""),
    "sessions_expired": ("lease_until <", f"lease_until - {EARLY} <"),
}


def remove() -> None:
    """Takes the fence away in this process."""
    scripts = transaction.script

    def edited(dialect: str, name: str) -> tuple[str, ...]:
        old, new = EDITS.get(name, ("$^", ""))
        return tuple(re.sub(old, new, one) for one in scripts(dialect, name))

    transaction.script = edited  # type: ignore[assignment]
    transitions.allowed = lambda *_: True  # type: ignore[attr-defined]
    claims._owns = lambda *_: True
    journal._fence = _everyone


def _everyone(tx: Any, items: Sequence[journal.Fenced]) -> tuple[dict[str, Any], list[bool]]:
    """Every write is let in, under the attempt that is current."""
    known = transitions.facts(tx, [item.id for item in items])
    timelines = {id_: journal._Timeline(id_, one.attempt, one.seq) for id_, one in known.items()}
    return timelines, [item.id in timelines for item in items]
