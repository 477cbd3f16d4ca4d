"""Beyond a quota nothing is accepted, what was accepted is never refused, and nothing else is touched."""

from __future__ import annotations

import pytest

from duly.model.batch import BATCH, MEMBERS
from duly.model.errors import InvalidInput
from duly.model.task import Submission
from duly.store import limit_desk, submissions
from duly.store.limit_desk import Setting
from duly.store.quotas import Beyond
from duly.store.submissions import Accepted
from support.stores import Store, submission

NAMES = ["queue/default", "queue/*", "owner/acme/ann", "owner/*", "tenant/acme", "tenant/*"]


def quota(store: Store, name: str, waiting: int) -> None:
    """An operator's word; a second later every process knows."""
    store.write(limit_desk.put, Setting(name=name, waiting=waiting))
    store.clock.advance(1)


def sent(**more: object) -> Submission:
    return submission(tenant="acme", owner="ann", **more)


def submit(store: Store, *items: Submission) -> list[Accepted]:
    return store.write(submissions.submit, *items)


@pytest.mark.parametrize("name", NAMES)
def test_beyond_a_quota_nothing_is_accepted(store: Store, name: str) -> None:
    """Of one call as many as there is room for; those that are refused leave no row."""
    quota(store, name, 2)
    answers = submit(store, sent(), sent(), sent())
    assert [one.created for one in answers] == [True, True, False]
    assert answers[2].refused == Beyond(name if "*" not in name else f"{name[:-1]}{OWN[name]}")
    assert submit(store, sent())[0].refused is not None
    assert store.rows("SELECT count(*) FROM task") == [(2,)]


OWN = {"queue/*": "default", "owner/*": "acme/ann", "tenant/*": "acme"}


def test_what_runs_or_has_ended_does_not_count(store: Store) -> None:
    """Room is there again once a task has started."""
    quota(store, "owner/acme/ann", 1)
    submit(store, sent())
    assert submit(store, sent())[0].refused == Beyond("owner/acme/ann")
    store.claim()
    assert submit(store, sent())[0].created


def test_what_is_blocked_counts(store: Store) -> None:
    """It waits to start as others do."""
    quota(store, "queue/default", 1)
    store.write(limit_desk.put, Setting(name="queue/default", concurrency=0))
    submit(store, sent())
    store.claim()
    assert submit(store, sent())[0].refused == Beyond("queue/default")


def test_others_have_room(store: Store) -> None:
    """Another owner, another queue; a quota of its own beats that of each."""
    quota(store, "owner/*", 0)
    quota(store, "owner/acme/bob", 5)
    bob = submission(tenant="acme", owner="bob")
    nobody = submission()
    assert [one.created for one in submit(store, bob, nobody, sent())] == [True, True, False]


def test_what_was_accepted_is_never_refused(store: Store) -> None:
    """The same id, the same idempotency key or the same unique key finds its task."""
    first = sent(idempotency_key="k", unique="u")
    submit(store, first)
    quota(store, "queue/default", 0)
    again = [first, sent(idempotency_key="k"), sent(unique="u")]
    assert [one.id for one in submit(store, *again)] == [first.id] * 3
    assert submit(store, sent())[0].refused == Beyond("queue/default")


def test_what_was_accepted_takes_nobodys_room(store: Store) -> None:
    """What is sent again, with others, counts once."""
    quota(store, "queue/default", 3)
    first = sent(idempotency_key="k", unique="u")
    submit(store, first)
    again = [first, sent(idempotency_key="k"), sent(unique="u")]
    assert [one.refused for one in submit(store, *again, sent(), sent())] == [None] * 5
    assert submit(store, sent())[0].refused == Beyond("queue/default")


def batch(**members: int) -> Submission:
    """A batch of so many members in these queues."""
    one = sent(task_type=BATCH, metadata={MEMBERS: sum(members.values())})
    return one._replace(members=members)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_counts_as_often_as_it_has_members(store: Store, name: str) -> None:
    """Beside what waits, and beside what batches that wait will submit."""
    quota(store, name, 5)
    submit(store, sent())
    assert submit(store, batch(default=5))[0].refused
    assert [one.created for one in submit(store, batch(default=3), batch(default=2))] == [True, False]
    assert submit(store, batch(default=2))[0].refused
    assert [one.created for one in submit(store, batch(default=1), batch(default=1))] == [True, False]


def test_a_batch_counts_in_the_queues_of_its_members(store: Store) -> None:
    """Each in its own."""
    quota(store, "queue/slow", 2)
    assert submit(store, batch(default=1, slow=3))[0].refused == Beyond("queue/slow", (3, 2))
    assert submit(store, batch(default=9, slow=2))[0].created


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_larger_than_a_quota_is_told_so(store: Store, name: str) -> None:
    """Whoever waits; one that is as large as the quota has room some day."""
    quota(store, name, 3)
    for waiting in (0, 1):
        submit(store, *[sent() for _ in range(waiting)])
        refused = [one.refused for one in submit(store, batch(default=4), batch(default=3))]
        assert [one and one.alone for one in refused] == [(4, 3), None]
        assert (refused[1] is None) == (waiting == 0)


def test_a_quota_of_none_closes_for_a_while(store: Store) -> None:
    """To batches as to tasks: they may come again."""
    quota(store, "queue/default", 0)
    assert [one.refused for one in submit(store, batch(default=4), sent())] == [Beyond("queue/default")] * 2


def test_a_batch_that_stands_is_found_though_its_quota_shrank(store: Store) -> None:
    """What was accepted is never refused."""
    first = batch(default=4)
    submit(store, first)
    quota(store, "queue/default", 3)
    assert submit(store, first)[0].id == first.id
    assert submit(store, first)[0].refused is None


def test_a_cleared_quota_refuses_nothing(store: Store) -> None:
    """A second later, in every process."""
    quota(store, "queue/default", 0)
    assert submit(store, sent())[0].refused
    store.write(limit_desk.clear, "queue/default")
    store.clock.advance(1)
    assert submit(store, sent())[0].created


def test_a_single_task_is_judged_alike_beside_a_batch_of_another(store: Store) -> None:
    """A batch that waits counts as one for it, whoever comes in the same group."""
    quota(store, "queue/default", 4)
    submit(store, batch(default=4))
    told = submit(store, batch(default=2), sent())
    assert [one.refused for one in told] == [Beyond("queue/default"), None]


def test_a_key_that_is_too_old_takes_nothing_past_a_quota(store: Store) -> None:
    """It is free for a new task, which is one more that waits."""
    quota(store, "owner/acme/ann", 1)
    submit(store, sent(idempotency_key="k"))
    store.clock.advance(86_400 + 1)
    assert submit(store, sent(idempotency_key="k"))[0].refused == Beyond("owner/acme/ann")


@pytest.mark.parametrize("name", ["type/demo", "each/demo", "key/demo//a"])
def test_a_quota_is_of_a_queue_an_owner_or_a_tenant(name: str) -> None:
    """Of anything else it would be counted by nobody."""
    with pytest.raises(InvalidInput, match="takes no quota"):
        Setting(name=name, waiting=1)
