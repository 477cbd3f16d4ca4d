"""What may be shown of deliveries and endpoints: no secrets, addresses masked; how often, how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from duly.clock import iso
from duly.model.delivery import Endpoint
from duly.model.signing import public_key
from duly.observe.masking import masked_text


def delivery_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the delivery table as JSON; `log` has its last 20 sends."""
    target = json.loads(row["target"])
    names = ("id", "task_id", "channel", "status", "attempt", "outcome", "endpoint_id")
    kept = {name: row[name] for name in (*names, "last_code", "last_error")}
    times = {name: iso(row[name]) for name in ("due_at", "created_at", "delivered_at")}
    log = [{**one, "at": iso(one["at"])} for one in json.loads(row["log"] or "[]")]
    chain = json.loads(row["chain"]) if row["chain"] else []
    steps = {"step": row["step"], "channels": [one["channel"] for one in chain]} if chain else {}
    return {**kept, "url": masked_text(target.get("url", "")), **times, "log": log, **steps}


def endpoint_wire(endpoint: Endpoint, *, secret: bool = False) -> dict[str, Any]:
    """An endpoint as JSON. Its newest secret only where it was just made (`secret`); a public key always."""
    newest = endpoint.secrets[0][0]
    key = public_key(newest)
    shown = {"secret": newest} if secret and key is None else {}
    shown |= {"public_key": key} if key else {}
    wish = endpoint.wish
    return {
        "id": endpoint.id,
        "tenant": endpoint.tenant,
        "owner": endpoint.owner,
        "url": masked_text(wish.url),
        "format": wish.format,
        "events": list(wish.events),
        "task_types": list(wish.task_types),
        "headers": sorted(wish.headers),
        "ordered": wish.ordered,
        "enabled": endpoint.enabled,
        "reason": endpoint.reason,
        "failing_since": iso(endpoint.failing_since),
        "secrets": len(endpoint.secrets),
        "old_secret_until": iso(endpoint.secrets[1][1]) if len(endpoint.secrets) > 1 else None,
        **shown,
        "created_at": iso(endpoint.created_at),
        "updated_at": iso(endpoint.updated_at),
    }


def notification_wire(row: Mapping[str, Any]) -> dict[str, Any]:
    """A line of an inbox as JSON: its body's words, and when it came and was read."""
    kept = {name: row[name] for name in ("id", "task_id", "type")}
    times = {"created_at": iso(row["created_at"]), "read_at": iso(row["read_at"])}
    return {**json.loads(row["body"]), **kept, **times}


def target_of(row: Mapping[str, Any], owner: str) -> dict[str, str]:
    """Channel and host; the rest of a URL may be a secret."""
    try:
        host = urlsplit(json.loads(row["target"]).get("url", "")).hostname
    except ValueError:
        host = "?"
    return {"channel": row["channel"], "target": host or row["endpoint_id"] or owner or row["channel"]}
