"""Pruning: a batch at a time along the ends of times, and nothing is lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duly.claim import pruner as module
from duly.claim.pruner import UPLOADS, Pruner, Wanted
from duly.model.errors import NotReady
from duly.model.events import Emit, silent
from duly.model.state import Status
from duly.model.task import Target
from duly.store import blobs, migrate, uploads
from duly.store.database import Database
from duly.store.reserve import Reserve
from support.stores import Store, sqlite_store

WEBHOOK = Target(channel="webhook", url="https://example.org/")


@pytest.fixture
async def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """A store that is pruned three tasks at a time."""
    monkeypatch.setattr(module, "BATCH", 3)
    path = tmp_path / "duly.db"
    migrate.ensure(Database(f"sqlite:///{path}"))
    one = sqlite_store(path)
    yield one
    one.database.close()


class Said(list[tuple[str, dict[str, Any]]]):
    def __call__(self, name: str, /, **fields: Any) -> None:
        self.append((name, fields))


def pruner(store: Store, *, emit: Emit = silent, **options: Any) -> Pruner:
    return Pruner(store.database, Reserve(store.database, 0), emit=emit, **options)


def left(store: Store) -> set[str]:
    return {id_ for (id_,) in store.rows("SELECT id FROM task")}


async def test_a_tick_deletes_a_batch_and_says_whether_there_is_more(store: Store) -> None:
    """So that other work comes between; what has been deleted is told at the end of the pass."""
    said = Said()
    one = pruner(store, emit=said)
    for _ in range(7):
        store.ended(result_ttl_ms=60_000)
    store.advance(60)
    assert [(await one.tick(), one.more) for _ in range(3)] == [(3, True), (3, True), (1, False)]
    assert said == [("store.pruned", {"tasks": 7, "kept": 0, "sessions": 0, "uploads": 0})]
    assert left(store) == set()


async def test_what_owes_an_answer_hides_nothing_behind_it(store: Store) -> None:
    """A webhook that is down for days keeps its tasks, and only those; they go once it has answered."""
    owing = {store.ended(Status.COMPLETED, WEBHOOK, result_ttl_ms=60_000) for _ in range(5)}
    store.clock.advance(1)
    for _ in range(2):
        store.ended(result_ttl_ms=60_000)
    store.advance(60)
    one = pruner(store)
    await one.all()
    assert (left(store), one.tasks, one.kept) == (owing, 2, 5)


async def test_nothing_goes_a_millisecond_too_early(store: Store) -> None:
    """Its time ends when it was said to end."""
    store.ended(result_ttl_ms=60_000)
    store.advance(59.999)
    assert await pruner(store).tick() == 0
    store.advance(0.001)
    assert await pruner(store).tick() == 1


async def test_an_operator_may_ask_for_those_that_ended_before_a_moment(store: Store) -> None:
    """Whatever they said; a later one stays, and so does what has not ended."""
    store.ended()
    store.advance(100)
    moment = store.clock.now_ms()
    later, pending = store.ended(), store.submit()
    await pruner(store, wanted=Wanted(ended_before=moment)).all()
    assert left(store) == {later, pending}


async def test_an_operator_may_ask_for_one_type(store: Store) -> None:
    """The others stay, though their time is over."""
    other = store.ended(result_ttl_ms=60_000)
    [id_] = [store.submit(task_type="kind", result_ttl_ms=60_000)]
    store.finish(store.claim(types=("kind",))[0])
    store.advance(60)
    assert left(store) == {other, id_}
    await pruner(store, wanted=Wanted(task_type="kind")).all()
    assert left(store) == {other}


async def test_a_dry_run_counts_and_deletes_nothing(store: Store) -> None:
    """It knows what stays as well."""
    store.ended(Status.COMPLETED, WEBHOOK, result_ttl_ms=60_000)
    for _ in range(4):
        store.ended(result_ttl_ms=60_000)
    store.advance(60)
    one, before = pruner(store, dry=True), left(store)
    await one.all()
    assert (one.tasks, one.kept, left(store)) == (4, 1, before)


async def test_an_error_keeps_the_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next tick goes on where this one failed; an error that is none of a full disk is not hidden."""
    for _ in range(4):
        store.ended(result_ttl_ms=60_000)
    store.advance(60)
    one = pruner(store)
    await one.tick()

    async def busy(*_: Any) -> None:
        raise NotReady("the database cannot do it now: database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(store.database, "write_many", busy)
        with pytest.raises(NotReady):
            await one.tick()
    assert one.more
    assert (await one.tick(), one.tasks) == (1, 4)


async def test_a_pass_ends_with_the_uploads_that_nobody_names(store: Store) -> None:
    """All of them, however many one transaction takes; and they are told."""
    said = Said()

    async def chunks(number: int) -> AsyncIterator[bytes]:
        yield b"file %d" % number

    for number in range(UPLOADS + 2):
        await blobs.put(store.database, chunks(number), limit=100)
    store.advance(86_400)
    await pruner(store, emit=said).tick()
    assert said == [("store.pruned", {"tasks": 0, "kept": 0, "sessions": 0, "uploads": UPLOADS + 2})]
    assert store.read(uploads.old, 100) == []
