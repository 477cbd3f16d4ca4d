"""How a batch stands: its members counted by one statement over the index of children."""

from __future__ import annotations

from dataclasses import replace

from duly.model.batch import BATCH, MEMBERS
from duly.model.state import Status
from duly.model.task import Task
from duly.store import family
from duly.store.children import ENDED
from duly.store.transaction import Transaction


def counted(tx: Transaction, task: Task) -> Task:
    """The task; a batch with its counters, and as far as its members are.

    `total` counts those too that are not spawned yet. What a completed batch says stays so, whatever an
    operator or the retention does with its members later.
    """
    if task.task_type != BATCH:
        return task
    stand = dict.fromkeys(map(str, Status), 0)
    if task.status is Status.COMPLETED and isinstance(task.result, dict):
        stand |= {status.value: task.result[status] for status in ENDED}
    else:
        stand |= family.counts(tx, task.id)
    total = max(task.metadata.get(MEMBERS, 0), sum(stand.values()))
    progress = task.progress
    if total and not task.status.terminal:
        progress = sum(stand[status] for status in ENDED) / total
    return replace(task, progress=progress, batch={"total": total, **stand})
