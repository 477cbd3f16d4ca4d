"""Two sweeps at the same moment, 400 times on servers: who has waited long rises once (DESIGN 4.6)."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from duly.store import ageing, schema, submissions
from duly.store.ageing import Waited
from support.races import RACES, race
from support.stores import Store, submission

pytestmark = [pytest.mark.only("postgres", "mariadb"), pytest.mark.writer]
PERIOD = 60_000


def test_two_sweeps_at_once_raise_once(store: Store, others: list[Store]) -> None:
    """Both have seen the same task; one of them raises it, and the timeline tells of one rise."""
    ids = [one.id for one in store.write(submissions.submit, *[submission(priority=3) for _ in range(RACES)])]
    store.advance(60)

    def sweep(one: Store, id_: str) -> int:
        return sum(one.write(ageing.rise, Waited(ids=(id_,), period_ms=PERIOD)))

    assert [mine + theirs for mine, theirs in race(others, ids, sweep, sweep)] == [1] * RACES
    assert store.read(lambda tx: tx.core.execute(sa.select(schema.task.c.rank).distinct()).all()) == [(7,)]
    assert store.rows("SELECT count(*) FROM event WHERE type = 'aged'") == [(RACES,)]
