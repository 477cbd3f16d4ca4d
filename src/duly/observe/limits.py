"""A limit as the API and the command line show it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from duly.clock import iso
from duly.model.limit import Rate


def limit_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """What it allows, how much of that is taken, how many tasks it blocks, and whose word it is.

    `tokens`: starts that were left when they were last counted; `declared`: what the code says.
    """
    rate = None if row["rate"] is None else str(Rate(count=row["rate"], per_ms=row["per_ms"]))
    return {
        "name": row["name"],
        "concurrency": row["cap"],
        "running": row["taken"],
        "rate": rate,
        "tokens": None if rate is None else round(row["tokens"], 3),
        "waiting": row["most"],
        "blocked": row["blocked"],
        "declared": None if row["declared"] is None else json.loads(row["declared"]),
        "changed_at": iso(row["changed_at"]),
        "changed_by": row["changed_by"],
    }
