"""Parents and children in the store: no child twice, each end counted once, no parent that waits for ever."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from duly.model.errors import InvalidInput
from duly.model.state import Status
from duly.store import children, claims, family, recall, retention
from duly.store.children import PassOn
from duly.store.driver import transaction
from duly.store.journal import StepRecord, record_steps
from support.families import gather, gathering, spawn, spawning, take
from support.stores import Store, ending, step, suspension


def family_of(store: Store, count: int = 2, *, eager: int = 0) -> tuple[str, list[str]]:
    """A parent that is suspended until its children have ended."""
    claimed = store.running()
    ids = spawn(store, claimed, count)
    assert store.suspend(claimed, gather(store, claimed, *ids, eager=eager)) is Status.WAITING
    return claimed.id, ids


def end(store: Store, id_: str, target: Status = Status.COMPLETED) -> None:
    """Runs this pending child to its end; others that come first are handed back."""
    claimed = {one.id: one for one in store.claim(free=100)}
    store.finish(claimed.pop(id_), target)
    for one in claimed.values():
        store.finish(one, Status.PENDING)


def test_a_child_is_spawned_once(store: Store) -> None:
    """Sent again, as after an answer that was lost, it finds the same child."""
    claimed = store.running()
    item = spawning(claimed)
    assert [store.write(children.spawn, item) for _ in range(2)] == [[True], [True]]
    assert store.rows("SELECT count(*) FROM task") == [(2,)]
    assert store.task(item.children[0].id).parent_id == claimed.id
    [step] = store.read(recall.steps, claimed.id)
    assert step.value == f'"{item.children[0].id}"'


def test_a_lost_attempt_spawns_nothing(store: Store) -> None:
    """Neither step nor child, nor a gather, nor its answer."""
    claimed = store.running()
    ids = spawn(store, claimed)
    store.rescue("w1")
    assert store.write(children.spawn, spawning(claimed, 2)) == [False]
    assert gather(store, claimed, *ids) is None
    record = StepRecord(id=claimed.id, attempt=claimed.attempt, step=gathering(claimed, *ids).step)
    assert store.write(children.answer, record) == [False]
    assert store.rows("SELECT (SELECT count(*) FROM task), (SELECT count(*) FROM step)") == [(2, 1)]


def test_the_last_child_wakes_the_parent_once(store: Store) -> None:
    """Until then it waits; what is sent again counts for nothing."""
    parent, ids = family_of(store)
    claimed = store.claim(free=2)
    last = [ending(one) for one in claimed]
    store.write(claims.finish, last[0])
    store.write(claims.finish, last[0])
    assert store.status(parent) is Status.WAITING
    store.write(claims.finish, last[1])
    assert store.status(parent) is Status.PENDING
    store.write(claims.finish, *last)
    assert store.events(parent).count("woken") == 1
    assert {one.id for one in claimed} == set(ids)


def test_children_of_one_group_are_counted_together(store: Store) -> None:
    """Two of one parent, one of another, and a task without one, in one call."""
    first, second = store.running(), store.running()
    one, other = first.id, second.id
    for claimed_, count in ((first, 2), (second, 3)):
        store.suspend(claimed_, gather(store, claimed_, *spawn(store, claimed_, count)))
    store.submit()
    claimed = store.claim(free=100)
    parents = [store.task(each.id).parent_id for each in claimed]
    missed = parents.index(other)
    left = claimed.pop(missed)
    assert store.write(claims.finish, *[ending(each) for each in claimed]) == [Status.COMPLETED] * 5
    assert (store.status(one), store.status(other)) == (Status.PENDING, Status.WAITING)
    store.finish(left)
    assert store.status(other) is Status.PENDING


def test_a_parent_and_its_last_child_in_one_group(store: Store) -> None:
    """In either order the parent does not wait for a child that has ended."""
    for turn in (1, -1):
        claimed = store.running()
        ids = spawn(store, claimed)
        step = gather(store, claimed, *ids)
        [child] = store.claim()
        assert step is not None
        store.write(claims.finish, *[suspension(claimed, step), ending(child)][::turn])
        assert store.status(claimed.id) is Status.PENDING
        [again] = store.claim()
        store.finish(again)


def test_a_child_that_ends_between_the_look_and_the_suspension_is_not_missed(store: Store) -> None:
    """The gather has counted it as living; the suspension sees that it is over."""
    claimed = store.running()
    ids = spawn(store, claimed)
    step = gather(store, claimed, *ids)
    [child] = store.claim()
    store.finish(child)
    assert store.suspend(claimed, step) is Status.PENDING
    assert store.events(claimed.id)[-1] == "woken"


def test_a_gather_of_what_has_ended_is_over_at_once(store: Store) -> None:
    """Also one of nobody."""
    claimed = store.running()
    ids = spawn(store, claimed)
    [child] = store.claim()
    store.finish(child)
    over, empty = gather(store, claimed, *ids), gather(store, claimed, n=2)
    assert over is not None
    assert empty is not None
    assert (over.taken, over.children, empty.taken) == (0, 0, 0)


def test_a_gather_is_no_sleep_for_the_next_round(store: Store) -> None:
    """It waits for no signal either; but its answer is remembered beside it."""
    claimed = store.running()
    gather(store, claimed, n=1)
    found = store.read(recall.remembered, claimed.id)
    assert [(one.children, one.taken) for one in found.steps] == [(0, 0)]
    assert not found.slept


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_the_first_failure_ends_an_eager_gather_only(store: Store, status: Status) -> None:
    """The other waits for all."""
    for eager, expected in ((1, Status.PENDING), (0, Status.WAITING)):
        parent, ids = family_of(store, eager=eager)
        if status is Status.CANCELLED:
            store.cancel(ids[0])
        else:
            end(store, ids[0], status)
        assert store.status(parent) is expected
        store.cancel(parent)
        store.cancel(ids[1])


def test_an_eager_gather_sees_what_failed_before(store: Store) -> None:
    """It need not be told again."""
    claimed = store.running()
    ids = spawn(store, claimed, 2)
    store.cancel(ids[0])
    step = gather(store, claimed, *ids, eager=1)
    assert step is not None
    assert step.taken == family.FAILED


def test_every_way_to_an_end_is_counted(store: Store) -> None:
    """A deadline that passes, a worker that dies for good, a purge: whatever ends a task tells its parent."""
    claimed = store.running()
    [late] = spawn(store, claimed, deadline_at=store.clock.now_ms() + 1_000)
    assert store.suspend(claimed, gather(store, claimed, late)) is Status.WAITING
    store.advance(2)
    assert store.status(late) is Status.FAILED
    assert store.status(claimed.id) is Status.PENDING


def test_an_open_gather_waits_again_for_a_child_that_is_retried(store: Store) -> None:
    """An operator's retry is no end; what follows it is counted once."""
    parent, ids = family_of(store)
    end(store, ids[0], Status.FAILED)
    store.retry(ids[0])
    end(store, ids[1])
    assert store.status(parent) is Status.WAITING
    end(store, ids[0])
    assert store.status(parent) is Status.PENDING


def test_a_child_wakes_no_parent_that_is_snoozed(store: Store) -> None:
    """It is no longer the gather that it waits for."""
    claimed = store.running()
    ids = spawn(store, claimed)
    gather(store, claimed, *ids)
    store.finish(claimed, Status.WAITING)
    [child] = store.claim()
    store.finish(child)
    assert store.status(claimed.id) is Status.WAITING


def test_only_a_tasks_own_children_are_gathered(store: Store) -> None:
    """A stranger's id is refused, and nothing is remembered."""
    claimed = store.running()
    stranger = store.submit()
    with pytest.raises(InvalidInput, match=stranger):
        gather(store, claimed, stranger)
    assert store.read(recall.steps, claimed.id) == []


def test_outcomes_come_in_the_order_asked(store: Store) -> None:
    """With results, small and large, and errors."""
    claimed = store.running()
    ids = spawn(store, claimed, 3)
    large = '"' + "x" * 10_000 + '"'
    found = {one.id: one for one in store.claim(free=3)}
    store.finish(found[ids[0]], Status.FAILED)
    store.finish(found[ids[1]], result=large)
    ends = store.read(children.outcomes, claimed.id, [ids[2], ids[0], ids[1]])
    assert [one["status"] for one in ends] == ["running", "failed", "completed"]
    assert (ends[1]["error_code"], len(ends[2]["result"])) == ("broken", 10_000)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED, Status.COMPLETED])
def test_a_parents_end_is_noted_for_its_children(store: Store, status: Status) -> None:
    """Unless it completed. They are cancelled page by page, and asked to stop if they run."""
    claimed = store.running()
    ids = spawn(store, claimed, 3)
    [running] = store.claim()
    store.finish(claimed, status)
    noted = store.read(children.bereft)
    if status is Status.COMPLETED:
        assert noted == []
        return
    assert noted == [claimed.id]
    assert store.write(children.pass_on, PassOn(claimed.id)) == [None]
    assert store.read(children.bereft) == []
    assert store.column(running.id, "cancel_requested_at") is not None
    assert [store.status(id_) for id_ in ids if id_ != running.id] == [Status.CANCELLED] * 2


def test_an_end_by_a_supervising_parent_is_told_by_a_worker(store: Store) -> None:
    """It has the bare driver only: it notes the end, and the next look of any worker wakes the parent."""
    parent, [id_] = family_of(store, 1)
    [child] = store.claim("w2")
    store.cancel(child.id)
    database, driver = store.database, store.database.driver
    with (
        closing(driver.connect()) as connection,
        transaction(driver, connection, store.clock, database.terms) as tx,
    ):
        claims.give_back(tx, ["w2"])
    assert (store.status(id_), store.status(parent)) == (Status.CANCELLED, Status.WAITING)
    assert store.read(children.bereft) == [id_]
    assert store.write(children.pass_on, PassOn(id_)) == [None]
    assert (store.read(children.bereft), store.status(parent)) == ([], Status.PENDING)
    assert store.write(children.pass_on, PassOn(id_)) == [None]
    assert store.events(parent).count("woken") == 1


def test_children_are_told_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call tells some; the note stays until all were."""
    monkeypatch.setattr(children, "PAGE", 2)
    claimed = store.running()
    ids = spawn(store, claimed, 3)
    store.finish(claimed, Status.FAILED)
    assert store.write(children.pass_on, PassOn(claimed.id)) == [ids[1]]
    assert store.read(children.bereft) == [claimed.id]
    assert store.write(children.pass_on, PassOn(claimed.id, ids[1])) == [None]
    assert store.read(family.counts, claimed.id) == {"cancelled": 3}


def test_a_parent_that_is_retried_keeps_its_children(store: Store) -> None:
    """The operator's word is newer than its failure."""
    claimed = store.running()
    [child] = spawn(store, claimed)
    store.finish(claimed, Status.FAILED)
    store.retry(claimed.id)
    assert store.read(children.bereft) == []
    assert store.write(children.pass_on, PassOn(claimed.id)) == [None]
    assert store.status(child) is Status.PENDING


def test_what_followed_a_gather_that_is_asked_anew_is_earlier(store: Store) -> None:
    """What followed the failure, and neither what came before nor what hangs on none."""
    parent, (child,) = family_of(store, 1)
    end(store, child, Status.FAILED)
    [claimed] = store.claim()
    for name, digest in (("firm", "abc"), ("shaken", "~bc")):
        record = step(claimed, name)
        store.write(record_steps, replace(record, step=record.step._replace(digest=digest)))
    store.finish(claimed, Status.FAILED)
    store.retry(parent)
    digests = {one.name: one.digest for one in store.read(recall.steps, parent)}
    assert digests == {"child": "d", "firm": "abc", "shaken": "-bc"}


@pytest.mark.parametrize("eager", [0, 1])
def test_a_child_that_is_gone_has_ended_without_success(store: Store, eager: int) -> None:
    """Retention may have taken it: the gather is over with the others, or at once if it is eager."""
    claimed = store.running()
    gone, living = spawn(store, claimed, 2)
    store.cancel(gone)
    store.write(take, gone)
    step = gather(store, claimed, gone, living, eager=eager)
    assert step is not None
    assert (step.children, step.taken) == (1, family.FAILED if eager else None)
    end(store, living)
    assert gather(store, claimed, gone, living, eager=eager) == step._replace(children=0, taken=family.FAILED)
    assert store.read(children.outcomes, claimed.id, [gone]) == []


@pytest.mark.parametrize("target", [Status.FAILED, Status.CANCELLED])
def test_a_child_is_kept_as_long_as_its_parent_may_be_retried(store: Store, target: Status) -> None:
    """It goes in the pass after the one that takes the parent."""
    claimed = store.running(result_ttl_ms=120_000)
    spawn(store, claimed, result_ttl_ms=60_000)
    [child] = store.claim()
    store.finish(child)
    store.finish(claimed, target)
    for seconds, gone in ((61, [False]), (60, [False, True]), (0, [True])):
        store.clock.advance(seconds)
        due = store.read(retention.expired, None, limit=10)
        assert store.write(retention.prune, *due) == gone


def test_a_child_is_kept_while_its_parent_lives(store: Store) -> None:
    """However short it was to be kept: its parent may still ask how it ended."""
    claimed = store.running()
    spawn(store, claimed, result_ttl_ms=60_000)
    [child] = store.claim()
    store.finish(child)
    store.clock.advance(61)
    due = store.read(retention.expired, None, limit=10)
    assert store.write(retention.prune, *due) == [False]
    store.finish(claimed)
    assert store.write(retention.prune, *due) == [True]
