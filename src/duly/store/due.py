"""Cheap questions that save a write transaction when there is nothing to do."""

from __future__ import annotations

from duly.store.transaction import Transaction


def anything(tx: Transaction, queues: tuple[str, ...]) -> bool:
    """Whether a pending task waits in one of these queues."""
    return bool(tx.run("pending_queues", queues))
