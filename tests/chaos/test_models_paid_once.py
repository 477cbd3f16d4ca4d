"""Ten kills of the worker and two of the database within one analysis: each recorded answer was paid once.

What can be paid twice is told apart: a request whose worker was killed while the provider was answering. Its
answer never came here; it is on the bill, and no database could know (decision 0039).
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from duly.llm.fake.server import FakeServer
from duly.store import recall, schema
from support.cluster import Cluster, WorkerProcess, cluster, until
from support.models import fake, table
from support.soak_servers import DATABASES, File, Server

CHAPTERS, SECTIONS = 10, 4
CALLS = CHAPTERS * SECTIONS
#: In these chapters the database is killed too.
CRASHES = {2, 6}
LATENCY = 0.1


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[File | Server]:
    """A file, or a server of this run's own, which it may kill; another user runs it, who must get there."""
    with tempfile.TemporaryDirectory(prefix="duly-paid-") as name:
        os.chmod(name, 0o755)  # noqa: PTH101, S103 - nothing is in it that others must not see
        one = DATABASES[request.param](Path(name))
        await one.start()
        yield one
        await one.stop()


async def recorded(workers: Cluster, id_: str) -> dict[tuple[str, int], str]:
    """The answers that the task remembers."""
    steps = await workers.app.database.read(recall.steps, id_)
    return {(step.name, step.n): step.value for step in steps if step.name == "section"}


async def struck(worker: WorkerProcess, book: Any, at: int) -> None:
    """Kills the worker's child while, or right after, its `at`th request is answered."""
    await until(lambda: book.number >= at, 60)
    await worker.strike()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_recorded_answer_is_paid_once(server: File | Server, tmp_path: Path) -> None:
    """Forty answers of forty questions, each with a bill of its own; none of them changes in a later run."""
    draw = random.Random(7)  # noqa: S311 - the same in each run
    home = tmp_path / "home"
    home.mkdir()
    async with (
        fake(words=4, latency=LATENCY) as model,
        cluster(home, database_url=server.url, llm=table(model)) as workers,
    ):
        worker = workers.start()
        id_ = await workers.submit("asks.by.chapter", {"chapters": CHAPTERS, "sections": SECTIONS})
        known: dict[tuple[str, int], str] = {}
        for chapter in range(CHAPTERS):
            begun = model.book.number
            await until(lambda number=chapter: asked(model, number), 60)
            await struck(worker, model.book, model.book.number + draw.randrange(SECTIONS - 1))
            if chapter in CRASHES:
                await server.crash()
            assert model.book.number > begun
            now = await recorded(workers, id_)
            assert now.items() >= known.items()
            known = now
        task = await workers.end(id_, 120)
        assert (task.status, task.retry_count, task.loss_count) == ("completed", 0, 0)
        assert len(worker.said("child.died")) >= CHAPTERS
        await account(workers, id_, model, known)


def asked(model: FakeServer, chapter: int) -> bool:
    """Whether a question of this chapter has come: so many different ones have."""
    return len({line["prompt"] for line in model.book.requests}) > chapter * SECTIONS


async def account(workers: Cluster, id_: str, model: FakeServer, known: dict[tuple[str, int], str]) -> None:
    """Holds steps, ledger and the other side's bill against each other."""
    steps = await recorded(workers, id_)
    assert steps.items() >= known.items()
    answers = [json.loads(value) for value in steps.values()]
    ids = {answer["request_id"] for answer in answers}
    assert len(answers) == len(ids) == CALLS
    rows = await workers.app.database.read(
        lambda tx: tx.core.execute(sa.select(schema.ledger).where(schema.ledger.c.task_id == id_)).all()
    )
    kept = [(row.step, row.n) for row in rows if row.kept]
    assert sorted(kept) == sorted(steps)
    bill = model.book
    assert len(bill.by_prompt) == CALLS
    tokens = sum(answer["usage"]["completion_tokens"] for answer in answers)
    assert sum(row.completion_tokens for row in rows if row.kept) == tokens
    # On the bill, and nowhere here: what was being answered when its worker was killed.
    apart = bill.billed - len(rows)
    assert 0 <= apart <= CHAPTERS
    assert sum(count - 1 for count in bill.by_prompt.values()) == apart + len(rows) - len(kept)
    counts = {"calls": CALLS, "kills": CHAPTERS, "billed": bill.billed, "cut_off": apart}
    print(json.dumps(counts))  # noqa: T201 - with -s it is the figure of a proof
