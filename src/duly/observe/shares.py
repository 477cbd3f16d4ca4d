"""A weight as the API and the command line show it."""

from __future__ import annotations

from typing import Any

from duly.store.weights import Share


def share_wire(share: Share) -> dict[str, Any]:
    """Whose it is, and what it is; an empty owner is all of the tenant's who have none of their own."""
    return {"tenant": share.of.tenant, "owner": share.of.owner, "weight": share.weight}
