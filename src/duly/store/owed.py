"""What the end of a task owes to its owner's endpoints, in the transaction that ends it (decision 0035).

Whether the owner has endpoints is told by the statement that ends the task: of those who have none nothing
more is asked. Without SQLAlchemy, for the supervising parent ends tasks too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from duly.store.transaction import Transaction


def event_of(status: str) -> str:
    """The event type that tells of this end."""
    return f"task.{status}"


def fits(wanted: str, word: str) -> bool:
    """Whether a filter, a JSON list, lets this through; an empty one lets all."""
    listed = json.loads(wanted)
    return not listed or word in listed


def owe(tx: Transaction, ids: Sequence[str]) -> None:
    """Makes a delivery to each enabled endpoint of the owner that wants to hear of such an end. An endpoint
    that the task named itself is owed it already."""
    rows = tx.run("owed_to", ids) if ids else []
    wanted = [
        (task_id, endpoint)
        for task_id, task_type, status, endpoint, events, types in rows
        if fits(events, event_of(status)) and fits(types, task_type)
    ]
    if wanted:
        import uuid_utils  # not before it is needed: the parent hardly ever does

        made = [{"id": str(uuid_utils.uuid7()), "task": task, "endpoint": to} for task, to in wanted]
        tx.run("owe", made)
