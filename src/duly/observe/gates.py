"""A gate as the API, the command line and `why` show it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from duly.clock import iso
from duly.observe.masking import masked_text
from duly.store.gates import RAMP_MS

Row = Mapping[str, Any]


def gate_wire(row: Row) -> dict[str, Any]:
    """Its state (new, open, ramping, closed, half_open, probing, stopped), until when, and why.

    `until` of what an operator closed may be null: until he opens it. `closings`: how often in a row.
    """
    if "now" not in row:
        return {"name": row["name"], "state": "new", **dict.fromkeys(_WORDS), "closings": 0}
    state = state_of(row)
    held = state == "stopped"
    words: dict[str, Any] = {"since": iso(row["held_at"] if held else row["closed_at"] or row["opened_at"])}
    words["until"] = iso(row["held_until"] if held else row["closed_until"])
    words |= {"kind": None if held else row["kind"], "code": None if held else row["code"]}
    reason = row["held_reason"] if held else row["message"]
    words |= {"reason": masked_text(reason) if reason else None, "by": row["held_by"] if held else None}
    return {"name": row["name"], "state": state, **words, "closings": row["closings"]}


_WORDS = ("since", "until", "kind", "code", "reason", "by")


def state_of(row: Row) -> str:
    """How it stands, in a word."""
    now: int = row["now"]
    if row["held_at"] is not None and (row["held_until"] is None or row["held_until"] > now):
        return "stopped"
    if row["closed_until"] is not None:
        if row["closed_until"] > now:
            return "closed"
        return "probing" if (row["probe_until"] or 0) > now else "half_open"
    if row["opened_at"] is None:
        return "new"
    return "ramping" if now - row["ramp_at"] < RAMP_MS else "open"


def say_gates(rows: Iterable[Row], say: Callable[..., None]) -> None:
    """Says of each gate that a task waits for why it is not asked, and until when."""
    for row in rows:
        one = gate_wire(row)
        said = {"gate": one["name"], "code": one["code"], "detail": one["reason"]}
        until = row["held_until"] if one["state"] == "stopped" else row["closed_until"]
        if until is not None:
            said |= {"at": iso(until), "span_ms": until - row["now"]}
        match one["state"]:
            case "stopped":
                say("gate_held" if until is None else "gate_held_until", by=one["by"] or "?", **said)
            case "closed":
                say("gate_closed", **said)
            case "half_open" | "probing":
                say("gate_probed", **said)
            case _:
                say("gate_open", gate=one["name"])
