"""Reading: filters, pages, counts, places in the queue."""

from __future__ import annotations

import pytest

from duly.model.state import Status
from duly.model.task import Target
from duly.store import lists, submissions
from duly.store.lists import Filter
from support.stores import Store, new_id, submission


def ids(store: Store, wanted: Filter | None = None, **page: object) -> list[str]:
    return [task.id for task in store.read(lists.page, wanted or Filter(), **page)]


def test_an_unknown_task_is_none(store: Store) -> None:
    """Not an error: the caller knows better what to say."""
    assert store.read(lists.get, new_id()) is None


@pytest.mark.parametrize(
    "word",
    [{"owner": "ann"}, {"tenant": "acme"}, {"task_type": "other"}, {"queue": "fast"}, {"tags": ("red",)}],
)
def test_a_filter_finds_what_it_says(store: Store, word: dict[str, object]) -> None:
    """Each word by itself, and nothing else."""
    mine = store.submit(**word)
    store.submit()
    wanted = {"tag": "red"} if "tags" in word else word
    assert ids(store, Filter(**wanted)) == [mine]
    assert store.read(lists.stats, Filter(**wanted))["pending"] == 1


def test_the_words_of_a_filter_must_all_be_true(store: Store) -> None:
    """Owner, status and tag together."""
    mine = store.submit(owner="ann", tags=("red", "big"))
    store.submit(owner="ann")
    store.submit(owner="bob", tags=("red",))
    store.cancel(store.submit(owner="ann", tags=("red",)))
    assert ids(store, Filter(owner="ann", tag="red", status=Status.PENDING)) == [mine]


def test_no_owner_is_an_owner(store: Store) -> None:
    """Empty text means tasks without an owner; None means all."""
    nobodys = store.submit()
    store.submit(owner="ann")
    assert ids(store, Filter(owner="")) == [nobodys]
    assert len(ids(store, Filter(owner=None))) == 2


def test_text_in_a_filter_is_only_text(store: Store) -> None:
    """Quotes and wildcards find nothing but themselves."""
    store.submit(owner="ann")
    for text in ("%", "a_n", "' OR 1=1 --", "ANN"):
        assert ids(store, Filter(owner=text)) == []


def test_counts_carry_every_status(store: Store) -> None:
    """Zeros too, so that nobody has to know the words."""
    store.submit()
    counted = store.read(lists.stats, Filter())
    assert counted == {**{status.value: 0 for status in Status}, "pending": 1}


def test_pages_are_newest_first_and_meet(store: Store) -> None:
    """By offset or by the last id seen: no task twice, none left out."""
    made = [store.submit() for _ in range(7)][::-1]
    assert ids(store, limit=3) + ids(store, limit=9, offset=3) == made
    keyset, last = [], None
    while page := ids(store, limit=3, before=last):
        keyset += page
        last = page[-1]
    assert keyset == made


def test_a_page_stays_where_it_is_while_tasks_arrive(store: Store) -> None:
    """Paging by id does not shift; that is what it is for."""
    made = [store.submit() for _ in range(4)][::-1]
    first = ids(store, limit=2)
    store.submit()
    assert ids(store, limit=2, before=first[-1]) == made[2:]


def test_tags_come_with_their_tasks(store: Store) -> None:
    """Each task of a page has its own."""
    tagged = [store.submit(tags=(f"t{number}", "all")) for number in range(2)]
    found = {task.id: sorted(task.tags) for task in store.read(lists.page, Filter())}
    assert found == {tagged[0]: ["all", "t0"], tagged[1]: ["all", "t1"]}


def test_a_task_shows_its_result_only_when_it_has_completed(store: Store) -> None:
    """And it can be left out, for it may be large."""
    id_ = store.ended(Status.COMPLETED)
    assert store.task(id_).result == "done"
    assert store.read(lists.get, id_, result=False).result is None


def test_the_timeline_is_read_from_a_line_on(store: Store) -> None:
    """A reader that has seen line 1 gets the rest, in order, as much as it asks for."""
    id_ = store.ended(Status.COMPLETED)
    assert [event.seq for event in store.read(lists.events, id_, 1)] == [2, 3]
    assert [event.seq for event in store.read(lists.events, id_, 0, 2)] == [1, 2]


def test_the_place_in_the_queue_follows_the_claim_order(store: Store) -> None:
    """By priority, ticket and age, within the queue, pending tasks only."""
    first = store.submit(priority=9)
    second, third = [
        one.id for one in store.write(submissions.submit, submission(owner="a"), submission(owner="b"))
    ]
    store.submit(queue="other", priority=10)
    store.submit(due_at=store.clock.now_ms() + 1_000, priority=10)
    assert [store.read(lists.ahead_of, id_) for id_ in (first, second, third)] == [0, 1, 2]
    store.claim()
    assert store.read(lists.ahead_of, third) == 1


def test_the_place_in_a_long_queue_is_counted_up_to_a_limit(store: Store) -> None:
    """A queue of a million costs no more than one of a thousand."""
    for _ in range(5):
        last = store.submit()
    assert store.read(lists.ahead_of, last, 3) == 3


def test_the_next_moment_is_the_earliest_of_all(store: Store) -> None:
    """Scheduled, retry, waiting, a deadline or a delivery, whichever is first; None when nothing is due."""
    assert store.read(lists.next_due) is None
    now = store.clock.now_ms()
    moments = []
    for ms, make in (
        (9_000, lambda at: store.submit(due_at=at)),
        (8_000, lambda at: store.submit(deadline_at=at, queue="other")),
        (5_000, lambda at: store.finish(store.running(), Status.WAITING, delay_ms=5_000)),
        (4_000, lambda at: store.finish(store.running(), Status.RETRY, delay_ms=4_000)),
        (0, lambda at: store.ended(Status.COMPLETED, Target(channel="inbox"))),
    ):
        make(now + ms)
        moments.append(store.read(lists.next_due) - now)
    assert moments == [9_000, 8_000, 5_000, 4_000, 0]


def test_statuses_are_told_for_what_exists(store: Store) -> None:
    """An id that is not there is not in the answer."""
    id_ = store.submit()
    assert store.read(lists.statuses, [id_, "unknown"]) == {id_: Status.PENDING}
