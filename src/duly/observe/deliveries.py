"""What may be shown of a delivery: where it goes (secrets in the address masked), how often, how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from duly.clock import iso
from duly.observe.masking import masked_text


def delivery_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the delivery table as JSON."""
    target = json.loads(row["target"])
    kept = {name: row[name] for name in ("id", "channel", "status", "attempt", "last_code", "last_error")}
    times = {name: iso(row[name]) for name in ("due_at", "created_at", "delivered_at")}
    return {**kept, "url": masked_text(target.get("url", "")), **times}
