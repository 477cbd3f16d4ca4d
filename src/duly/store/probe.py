"""Whether the database can be read, and at which revision, and written: a lock is no proof of that, it can be
had on a full or read-only disk too."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
import uuid_utils

from duly.store import schema
from duly.store.transaction import Transaction

_VERSION = sa.table("alembic_version", sa.column("version_num"))


def revision(tx: Transaction) -> str:
    """The revision that the tables stand at; empty where none is written down."""
    return str(tx.core.execute(sa.select(_VERSION.c.version_num)).scalar() or "")


def probe(tx: Transaction, items: Sequence[None]) -> list[None]:
    """Writes the row of a session and takes it away again, in one transaction: nobody ever sees it."""
    worker, id_ = schema.worker, str(uuid_utils.uuid7())
    nobody = {"id": id_, "host": "", "pid": 0, "queues": "", "started_at": tx.now, "lease_until": tx.now}
    tx.core.execute(sa.insert(worker).values(nobody))
    tx.core.execute(sa.delete(worker).where(worker.c.id == id_))
    return [None for _ in items]
