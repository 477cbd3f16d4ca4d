"""The unique word of a task that has ended: laid aside while others may have it, held again by another run.

The index of the words decides who has one, so an ended task's is not in its row (`task_unique`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from duly.store import bodies, schema
from duly.store.transaction import Transaction

#: How often it is looked whose a word is, while submits take some meanwhile.
LOOKS = 5
_TASK, _DATA = schema.task.c, schema.task_data.c


def hold_again(tx: Transaction, ids: Sequence[str]) -> set[str]:
    """Gives these tasks their words back; answers those that may not have theirs, as a living task or an
    earlier one of these has it."""
    query = sa.select(_DATA.task_id, _DATA.text).where(_DATA.task_id.in_(ids), _DATA.kind == bodies.UNIQUE)
    words = dict(map(tuple, tx.core.execute(query.order_by(_DATA.task_id))))
    for _ in range(LOOKS):
        free = _free(tx, words) if words else {}
        if not free or _taken(tx, free):
            return words.keys() - free.values()
    return set(words)


def _free(tx: Transaction, words: Mapping[str, str]) -> dict[str, str]:
    """The words that nobody has, and the first task that wants each."""
    query = sa.select(_TASK.unique_key).where(_TASK.unique_key.in_(set(words.values())))
    held = set(tx.core.execute(query).scalars())
    wanted = {word: id_ for id_, word in sorted(words.items(), reverse=True)}
    return {word: id_ for word, id_ in wanted.items() if word not in held}


def _taken(tx: Transaction, free: Mapping[str, str]) -> bool:
    """Whether they could be had: a submit that commits meanwhile is seen by the index only, and by the next
    look. Without the savepoint PostgreSQL would end the transaction."""
    word = sa.case({id_: word for word, id_ in free.items()}, value=_TASK.id)
    tx.core.exec_driver_sql("SAVEPOINT words")
    try:
        tx.core.execute(sa.update(schema.task).where(_TASK.id.in_(free.values())).values(unique_key=word))
    except sa.exc.IntegrityError:
        tx.core.exec_driver_sql("ROLLBACK TO SAVEPOINT words")
        return False
    tx.core.exec_driver_sql("RELEASE SAVEPOINT words")
    return True
