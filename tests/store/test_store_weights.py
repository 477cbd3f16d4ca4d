"""Weights: an owner of weight n has n turns for each of others; with real claims on every database."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from duly.model.errors import InvalidInput
from duly.store import bulk, submissions, weights
from duly.store.bulk import Chosen, Moving
from duly.store.lists import Filter
from duly.store.weights import Share, Sharer
from support.stores import Store, submission


def weigh(store: Store, weight: int, owner: str = "", tenant: str = "") -> None:
    """Gives an owner his weight, or all of a tenant."""
    store.write(weights.put, Share(of=Sharer(owner=owner, tenant=tenant), weight=weight))


def backlog(store: Store, owner: str, count: int, **overrides: object) -> list[str]:
    """Many tasks of one owner, accepted in one batch."""
    items = [submission(owner=owner, **overrides) for _ in range(count)]
    return [one.id for one in store.write(submissions.submit, *items)]


def order(store: Store, count: int) -> list[str]:
    """The owners of what is handed out next, some at a time."""
    owners: list[str] = []
    while len(owners) < count:
        owners += [claimed.owner for claimed in store.claim(free=min(20, count - len(owners)))]
    return owners


def steps(store: Store, ids: list[str]) -> list[int]:
    """From ticket to ticket."""
    tickets = [store.column(id_, "fair_at") for id_ in ids]
    return [after - before for before, after in itertools.pairwise(tickets)]


def test_a_newcomer_is_among_the_next_three(store: Store) -> None:
    """Ann waits with a thousand, some of which have begun; Bob's only task is started at once."""
    backlog(store, "ann", 1000)
    order(store, 10)
    store.submit(owner="bob")
    assert "bob" in order(store, 3)


def test_weight_two_is_twice_the_share(store: Store) -> None:
    """Three backlogs, one of them with weight 2: half of the starts are its, within a tenth."""
    weigh(store, 2, "cid")
    for owner in ("ann", "bob", "cid"):
        backlog(store, owner, 150)
    seen = Counter(order(store, 200))
    assert seen["cid"] == pytest.approx(100, rel=0.1)
    assert seen["ann"] == pytest.approx(50, rel=0.1)
    assert seen["bob"] == pytest.approx(50, rel=0.1)


def test_one_by_one_or_in_a_batch_weighs_the_same(store: Store) -> None:
    """A weight holds however submissions were grouped, and in each part of a batch."""
    weigh(store, 4, "ann")
    mixed = [submission(owner="ann", priority=5, task_type=one) for one in ("demo", "other", "demo")]
    ids = [one.id for one in store.write(submissions.submit, *mixed)]
    ids += [store.submit(owner="ann") for _ in range(3)]
    assert steps(store, ids) == [250] * 5


def test_a_tenants_weight_is_of_all_who_have_none(store: Store) -> None:
    """His own goes before it, and other tenants have nothing of it."""
    weigh(store, 5, tenant="acme")
    weigh(store, 2, "bob", "acme")
    given = {("ann", "acme"): 200, ("bob", "acme"): 500, ("ann", ""): 1000}
    for (owner, tenant), step in given.items():
        assert steps(store, backlog(store, owner, 2, tenant=tenant)) == [step]


def test_a_weight_holds_from_then_on(store: Store) -> None:
    """What stands in line keeps its ticket; without the weight it is as before."""
    before = backlog(store, "ann", 2)
    weigh(store, 10, "ann")
    meanwhile = backlog(store, "ann", 2)
    assert store.write(weights.clear, Sharer(owner="ann"), Sharer(owner="bob")) == [True, False]
    after = backlog(store, "ann", 2)
    assert steps(store, [*before, *meanwhile, *after]) == [1000, 100, 100, 1000, 1000]


def test_a_move_heeds_the_weight(store: Store) -> None:
    """In the new line the tickets are as far apart as if they were submitted there."""
    weigh(store, 2, "ann")
    ids = backlog(store, "ann", 3, queue="slow")
    chosen = Chosen(ids=tuple(ids), wanted=Filter(queue="slow"))
    store.write(bulk.move, Moving(chosen=chosen, queue="default"))
    assert steps(store, ids) == [500, 500]


def test_weights_are_listed_and_replaced(store: Store) -> None:
    """By tenant and owner; the last word holds."""
    weigh(store, 3, "bob", "acme")
    weigh(store, 2, "ann")
    weigh(store, 7, "ann")
    said = [(one.of.tenant, one.of.owner, one.weight) for one in store.read(weights.shares)]
    assert said == [("", "ann", 7), ("acme", "bob", 3)]


@pytest.mark.parametrize("weight", [0, 101, -1, True])
def test_a_weight_has_a_range(weight: int) -> None:
    """1..100, so that a ticket's step stays a whole number worth its name."""
    with pytest.raises(InvalidInput):
        Share(of=Sharer(owner="ann"), weight=weight)
