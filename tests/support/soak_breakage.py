"""The soak's own planted bugs, in the processes that load its app: `SOAK_BREAK=lease` or `lease,fence`.

`lease`: sweeps take living sessions for dead, so that tasks run twice at once all the time; the fence alone
keeps them apart. `fence`: that is gone too, and whoever still runs writes. A soak that then finds nothing
wrong is blind.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from duly.store import claims, journal, transaction, transitions

#: Leases end this much too early, in milliseconds: sessions that were renewed 5 s ago are taken for dead.
EARLY = 25_000

#: For each file a pattern, and what stands there instead.
LEASE = {"sessions_expired": ("lease_until <", f"lease_until - {EARLY} <")}
FENCE = {"touch": (r"\s+AND [^;]*'running'", "")}


def plant() -> None:
    """Breaks what the environment asks for."""
    wanted = os.environ.get("SOAK_BREAK", "").split(",")
    if "lease" in wanted:
        _edit(LEASE)
    if "fence" in wanted:
        _edit(FENCE)
        transitions.allowed = lambda *_: True  # type: ignore[attr-defined]
        claims._owns = lambda *_: True
        journal._fence = _everyone


def _edit(edits: dict[str, tuple[str, str]]) -> None:
    scripts = transaction.script

    def edited(dialect: str, name: str) -> tuple[str, ...]:
        if name not in edits:
            return scripts(dialect, name)
        return tuple(re.sub(*edits[name], one) for one in scripts(dialect, name))

    transaction.script = edited  # type: ignore[assignment]


def _everyone(tx: Any, items: Sequence[journal.Fenced]) -> tuple[dict[str, Any], list[bool]]:
    """Every write is let in, under the attempt that is current."""
    known = transitions.facts(tx, [item.id for item in items])
    timelines = {id_: journal.Timeline(id_, one.attempt, one.seq) for id_, one in known.items()}
    return timelines, [item.id in timelines for item in items]
