"""The unique word of a task that is given another run: it holds it again, or stays as it is."""

from __future__ import annotations

import pytest

from duly.model.state import Status
from duly.store import bulk, submissions, unique
from duly.store.bulk import Chosen
from duly.store.lists import Filter
from duly.store.transaction import Transaction
from support.stores import Store


def chosen(*ids: str) -> Chosen:
    """These tasks, however they stand."""
    return Chosen(ids=ids, wanted=Filter())


def word(store: Store, id_: str) -> str | None:
    """The word in the task's row."""
    return store.column(id_, "unique_key")  # type: ignore[no-any-return]


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_retried_task_holds_its_word_again(store: Store, status: Status) -> None:
    """A submit finds it, until it ends: as often as it is retried."""
    id_ = store.ended(status, unique="u")
    for _ in range(2):
        assert word(store, id_) is None
        assert store.retry(id_) is status
        assert store.submit(unique="u") == id_
        [claimed] = store.claim()
        store.finish(claimed, status)
    assert store.submit(unique="u") != id_


def test_a_cancel_of_what_waits_lays_its_word_aside(store: Store) -> None:
    """It never ran."""
    id_ = store.submit(unique="u")
    store.cancel(id_)
    store.retry(id_)
    assert store.submit(unique="u") == id_


def test_a_retry_says_that_another_living_task_holds_its_word(store: Store) -> None:
    """Nothing is written, and once that has ended it works."""
    id_ = store.ended(Status.FAILED, unique="u")
    other = store.running(unique="u")
    before = store.events(id_)
    assert store.write(submissions.retry, id_) == [(Status.FAILED, True)]
    assert (store.status(id_), store.events(id_)) == (Status.FAILED, before)
    store.finish(other)
    assert store.retry(id_) is Status.FAILED


def test_who_is_refused_keeps_nobody_else_from_running_again(store: Store) -> None:
    """Retries of one group are each for itself."""
    refused, other = [store.ended(Status.FAILED, unique=one) for one in "uv"]
    store.submit(unique="u")
    before = store.write(submissions.retry, refused, other, "none")
    assert before == [(Status.FAILED, True), (Status.FAILED, False), None]
    assert store.submit(unique="v") == other


def test_a_bulk_retry_leaves_out_whose_word_is_held(store: Store) -> None:
    """By a living task, or by an earlier one of the same call; the others run again, and are counted."""
    held = store.ended(Status.FAILED, unique="held")
    first, second = [store.ended(Status.FAILED, unique="twice") for _ in range(2)]
    plain = store.ended(Status.FAILED)
    store.submit(unique="held")
    assert store.write(bulk.retry, chosen(held, first, second, plain)) == [2]
    statuses = [store.status(one) for one in (held, first, second, plain)]
    assert statuses == [Status.FAILED, Status.PENDING, Status.FAILED, Status.PENDING]
    assert store.submit(unique="twice") == first
    assert store.write(bulk.retry, chosen(held, second)) == [0]


def test_a_submit_that_commits_between_the_look_and_the_word_is_seen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look found nobody; the index knows better, and the transaction goes on."""
    free, looks = unique._free, []

    def blind(tx: Transaction, words: dict[str, str]) -> dict[str, str]:
        looks.append(words)
        return {one: id_ for id_, one in words.items()} if len(looks) == 1 else free(tx, words)

    monkeypatch.setattr(unique, "_free", blind)
    refused, other = store.ended(Status.FAILED, unique="u"), store.ended(Status.FAILED, unique="v")
    store.submit(unique="u")
    assert store.write(bulk.retry, chosen(refused, other)) == [1]
    assert (len(looks), store.status(refused), store.status(other)) == (2, Status.FAILED, Status.PENDING)
