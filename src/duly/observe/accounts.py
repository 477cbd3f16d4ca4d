"""How an API key stands in JSON: never with its secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duly.clock import iso


def key_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """A key as it is shown."""
    times = ("created_at", "expires_at", "rotated_at", "old_until", "used_at", "revoked_at")
    said = {name: row[name] for name in ("id", "name", "role", "owner", "tenant", "created_by")}
    return {**said, "scopes": row["scopes"].split(), **{name: iso(row[name]) for name in times}}


def audit_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the audit log."""
    return {**row, "at": iso(row["at"])}
