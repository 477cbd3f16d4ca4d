"""What ends owe to endpoints, in the same commit; lines of ordered endpoints; marks in an inbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from duly.model.delivery import Endpoint, EndpointWish, Outcome
from duly.model.signing import new_secret
from duly.model.state import Status
from duly.model.task import Target
from duly.store import deliveries, delivery_lists, endpoints, inbox, lists
from duly.store.deliveries import Delivery, Notice, Sent
from duly.store.delivery_lists import Wanted
from duly.store.endpoints import Change, Rotation
from support.races import race
from support.stores import Store, new_id

DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def session(store: Store) -> None:
    store.session()


def add(store: Store, owner: str = "ann", tenant: str = "", **words: Any) -> str:
    """An endpoint's id."""
    wish = EndpointWish(url="https://a.example/", **words)
    made = Endpoint(id=new_id(), tenant=tenant, owner=owner, wish=wish, secrets=((new_secret(), None),))
    assert store.write(endpoints.add, made) == [True]
    return made.id


def owed(store: Store, id_: str) -> list[tuple[str, str]]:
    """(endpoint, status) of all that is owed for a task."""
    rows = store.read(lists.rows_of, "delivery", id_)
    return sorted((row["endpoint_id"], row["status"]) for row in rows)


def claim(store: Store, session: str = "w1") -> list[Delivery]:
    [claimed] = store.write(deliveries.claim_deliveries, (session, 20))
    return list(claimed)


def settle(store: Store, one: Delivery, status: str = "delivered", **fields: Any) -> None:
    store.write(deliveries.settle, Sent(id=one.id, attempt=one.attempt, status=status, **fields))


@pytest.mark.parametrize("target", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
def test_an_end_is_owed_in_its_commit(store: Store, target: Status) -> None:
    """To each enabled endpoint of the owner that wants it; the quick way of a completion is no exception."""
    wanted = add(store, events=(f"task.{target}",), task_types=("demo",))
    for words in ({"events": ("task.x",)}, {"task_types": ("other",)}):
        other = add(store)
        store.write(endpoints.change, Change(id=other, values=_filter(**words)))
    add(store, owner="bob")
    add(store, tenant="else")
    off = add(store)
    store.write(endpoints.change, Change(id=off, values={"enabled": 0}))
    mine = store.ended(target, owner="ann")
    assert owed(store, mine) == [(wanted, "pending")]
    assert owed(store, store.ended(target, owner="eve")) == []


def _filter(events: Sequence[str] = (), task_types: Sequence[str] = ()) -> dict[str, Any]:
    columns = endpoints.columns(EndpointWish(url="https://a.example/", task_types=tuple(task_types)))
    return {**columns, "events": '["task.x"]'} if events else columns


def test_many_ends_in_one_batch_are_each_owed(store: Store) -> None:
    """Of several owners, with and without endpoints, in one group."""
    to = {owner: add(store, owner=owner) for owner in ("ann", "bob")}
    tasks = {owner: [store.running(owner=owner) for _ in range(3)] for owner in ("ann", "bob", "eve")}
    for claimed in (one for several in tasks.values() for one in several):
        store.finish(claimed)
    for owner, several in tasks.items():
        expected = [(to[owner], "pending")] if owner in to else []
        assert [owed(store, one.id) for one in several] == [expected] * 3


def test_a_named_endpoint_is_owed_once(store: Store) -> None:
    """A task that names it and an endpoint that asks for such ends make one delivery."""
    endpoint = add(store)
    id_ = store.ended(Status.COMPLETED, Target(channel="endpoint", id=endpoint), owner="ann")
    assert owed(store, id_) == [(endpoint, "pending")]


def test_a_retry_reopens_what_the_task_named_only(store: Store) -> None:
    """An endpoint that asked for the end is told of the next one as of any other: by its filter."""
    endpoint = add(store, events=("task.failed",))
    id_ = store.ended(Status.FAILED, Target(channel="inbox"), owner="ann")
    for one in claim(store):
        settle(store, one)
    store.retry(id_)
    rows = store.read(lists.rows_of, "delivery", id_)
    assert sorted((row["channel"], row["status"]) for row in rows) == [
        ("endpoint", "delivered"),
        ("inbox", "delivered"),
        ("inbox", "held"),
    ]
    assert {row["endpoint_id"] for row in rows} == {None, endpoint}


def test_a_chain_is_kept_and_moves_on(store: Store) -> None:
    """It begins with its first target; a settle that says so puts it at the next, with a body of its own."""
    endpoint = add(store, owner="eve")
    places = (Target(channel="webhook", url="https://a/", tries=1), Target(channel="endpoint", id=endpoint))
    id_ = store.ended(Status.FAILED, Target(channel="first_of", first_of=places), owner="ann")
    [one] = claim(store)
    assert (one.channel, one.target, one.step) == ("webhook", {"url": "https://a/", "tries": 1}, 0)
    store.write(deliveries.fix_body, (one, "{}"))
    settle(store, one, "pending", delay_ms=0, step=1, to=one.chain[1], log="[]")
    [two] = claim(store)
    assert (two.channel, two.target, two.step, two.began) == ("endpoint", {"id": endpoint}, 1, 1)
    assert (two.body, two.log) == (None, "[]")
    assert owed(store, id_) == [(endpoint, "sending")]
    settle(store, two)
    store.retry(id_)
    held = [row for row in store.read(lists.rows_of, "delivery", id_) if row["status"] == "held"]
    assert [(row["channel"], row["step"], row["endpoint_id"]) for row in held] == [("webhook", 0, None)]


def test_an_ordered_endpoint_gets_one_after_the_other(store: Store) -> None:
    """The next is due when the one before has ended, whether it was delivered or given up."""
    add(store, ordered=True)
    ids = [store.ended(owner="ann") for _ in range(3)]
    other = store.ended(Status.COMPLETED, Target(channel="inbox"), owner="bob")
    first, inbox_line = claim(store)
    assert {first.task_id, inbox_line.task_id} == {ids[0], other}
    first = first if first.task_id == ids[0] else inbox_line
    assert claim(store) == []
    assert store.read(deliveries.due, 20) == 0
    settle(store, first, "pending", delay_ms=5000)
    assert claim(store) == []
    store.advance(6)
    [again] = claim(store)
    assert again.id == first.id
    settle(store, again, "dead")
    [second] = claim(store)
    assert second.task_id == ids[1]
    settle(store, second)
    [third] = claim(store)
    assert third.task_id == ids[2]


def test_an_unordered_endpoint_waits_for_nothing(store: Store) -> None:
    """Its deliveries go side by side; an order that is taken away is gone at once."""
    endpoint = add(store, ordered=True)
    for _ in range(3):
        store.ended(owner="ann")
    [first] = claim(store)
    store.write(endpoints.change, Change(id=endpoint, values={"ordered": 0}))
    assert len(claim(store)) == 2
    settle(store, first)


def test_a_stopped_line_hides_nobody(store: Store) -> None:
    """A long backlog behind one that waits to be sent again keeps no other delivery from being found."""
    add(store, ordered=True)
    for _ in range(30):
        store.ended(owner="ann")
    [first] = claim(store)
    settle(store, first, "pending", delay_ms=50_000)
    store.advance(1)
    free = store.ended(Status.COMPLETED, Target(channel="inbox"), owner="bob")
    assert [one.task_id for one in claim(store)] == [free]


@pytest.mark.only("postgres", "mariadb")
def test_two_processes_keep_a_line(store: Store, others: list[Store]) -> None:
    """However they race, one at most sends to an ordered endpoint, and always the first in its line."""
    store.session("w2")
    owners = [f"owner{number}" for number in range(40)]
    expected = {}
    for owner in owners:
        add(store, owner=owner, ordered=True)
        expected[owner] = [store.ended(owner=owner) for _ in range(2)]
    sent: list[tuple[str, str]] = []

    def send(session: str) -> Any:
        def once(process: Store, _: str) -> list[str]:
            [claimed] = process.write(deliveries.claim_deliveries, (session, 20))
            for one in claimed:
                sent.append((one.task_id, one.id))
                settle(process, one)
            return [one.task_id for one in claimed]

        return once

    race(others, owners, send("w1"), send("w2"))
    while rest := claim(store):
        for one in rest:
            sent.append((one.task_id, one.id))
            settle(store, one)
    order = [task_id for task_id, _ in sent]
    assert len(order) == len(set(order)) == 80
    for first, second in expected.values():
        assert order.index(first) < order.index(second)


def test_a_send_that_died_with_its_process_is_unknown(store: Store) -> None:
    """It may have arrived; it is owed again at once, and told as what it is."""
    id_ = store.ended(Status.COMPLETED, Target(channel="inbox"))
    claim(store)
    store.rescue("w1")
    [row] = store.read(lists.rows_of, "delivery", id_)
    assert (row["status"], row["outcome"], row["attempt"]) == ("pending", "unknown", 1)


def test_health_is_told_by_sends(store: Store) -> None:
    """The first failure in a row is dated, a success forgets it; 410 disables, which its owner is told."""
    endpoint = add(store)
    for status, outcome, since in (
        ("dead", Outcome.RETRY, True),
        ("delivered", Outcome.SENT, False),
        ("dead", Outcome.UNKNOWN, True),
    ):
        store.ended(owner="ann")
        [one] = claim(store)
        settle(store, one, status, outcome=outcome, endpoint=endpoint)
        found = store.read(endpoints.get, endpoint)
        assert (found.failing_since is not None) is since
    id_ = store.ended(owner="ann")
    [one] = claim(store)
    settle(store, one, "dead", outcome=Outcome.ROUTE_DEAD, endpoint=endpoint)
    assert not store.read(endpoints.get, endpoint).enabled
    rows = store.read(lists.rows_of, "delivery", id_)
    assert sorted((row["channel"], row["status"]) for row in rows) == [
        ("endpoint", "dead"),
        ("inbox", "pending"),
    ]


def test_secrets_are_kept_while_they_sign(store: Store) -> None:
    """A rotation that is sent again is one; what has stopped to sign is forgotten with the next."""
    endpoint = add(store)
    first, second, third = store.read(endpoints.get, endpoint).secrets[0][0], new_secret(), new_secret()
    for _ in range(2):
        store.write(endpoints.rotate, Rotation(id=endpoint, secret=second, window_ms=DAY_MS))
    found = store.read(endpoints.get, endpoint)
    assert found.signing(store.clock.now_ms()) == (second, first)
    assert found.signing(store.clock.now_ms() + DAY_MS) == (second,)
    store.advance(86_401)
    store.write(endpoints.rotate, Rotation(id=endpoint, secret=third, window_ms=0))
    assert store.read(endpoints.get, endpoint).secrets == ((third, None),)


def test_dead_letters_are_found_and_sent_again(store: Store) -> None:
    """By endpoint and status, newest first, page by page; only what is dead is owed again."""
    endpoint = add(store)
    ids = [store.ended(owner="ann") for _ in range(4)]
    for one in claim(store):
        settle(store, one, "delivered" if one.task_id == ids[3] else "dead")
    wanted = {"status": "dead", "endpoint": endpoint, "owner": ("", "ann")}
    first = store.read(delivery_lists.page, Wanted(**wanted, limit=2))
    rest = store.read(delivery_lists.page, Wanted(**wanted, before=first[-1]["id"]))
    assert [row["task_id"] for row in first + rest] == ids[2::-1]
    assert store.read(delivery_lists.page, Wanted(**{**wanted, "owner": ("", "bob")})) == []
    assert store.write(endpoints.resend, first[0]["id"], first[0]["id"]) == [True, False]
    assert store.write(endpoints.resend_dead, endpoint) == [2]
    assert len(claim(store)) == 3


def test_an_inbox_is_marked(store: Store) -> None:
    """One line, all up to a number, all; as read or unread; only the owner's own."""
    for owner in ("ann", "ann", "ann", "bob"):
        store.ended(Status.COMPLETED, Target(channel="inbox"), owner=owner)
    for one in claim(store):
        owner = store.task(one.task_id).owner
        words = {"tenant": "", "owner": owner, "type": "t", "body": "{}"}
        notice = Notice(delivery_id=one.id, attempt=one.attempt, task_id=one.task_id, **words)
        store.write(deliveries.notify, notice)
    lines = [row["id"] for row in store.read(inbox.page, "", "ann")]
    assert len(lines) == 3

    def mark(**words: Any) -> int:
        [count] = store.write(inbox.mark, inbox.Mark(tenant="", owner="ann", **words))
        return int(count)

    def unread() -> list[int]:
        return [row["id"] for row in store.read(inbox.page, "", "ann", unread=True)]

    assert mark(ids=(lines[1],)) == 1
    assert mark(ids=(lines[1],)) == 0
    assert unread() == [lines[0], lines[2]]
    assert mark(up_to=lines[1]) == 1
    assert store.read(inbox.stats, "", "ann") == {"unread": 1, "latest": lines[2]}
    assert mark(ids=(lines[0],), read=False) == 1
    assert mark() == 2
    assert store.read(inbox.stats, "", "bob")["unread"] == 1
    assert [row["id"] for row in store.read(inbox.page, "", "ann", unread=False)] == lines
