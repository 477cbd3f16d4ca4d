"""Tasks whose workers died: who comes under suspicion, who runs apart from whom, and when one is given up."""

from __future__ import annotations

import itertools

import pytest

from duly.model.policy import MOST_LOSSES, share_after_death
from duly.model.state import Status
from duly.model.task import Claimed, Target
from duly.store import claims, sessions, submissions
from duly.store.claims import Lane
from support.stores import ENDINGS, Store, submission

INBOX = Target(channel="inbox")
CLEARED = sorted(set(ENDINGS) - {Status.PENDING})
numbers = itertools.count()


def apart(store: Store, **overrides: object) -> list[Claimed]:
    """The next suspects, claimed by a process of their own."""
    wanted = {"free": 100, "beside": (), **overrides}
    return store.claim(wanted.pop("session", f"q{next(numbers)}"), **wanted)


def die(store: Store, *held: Claimed) -> None:
    """The process that held these is gone; there is no other that holds anything."""
    ended = {store.task(one.id).worker_id or "" for one in held}
    while store.rescue(*ended):
        ended = set()


def perish(store: Store) -> list[Claimed]:
    """All ordinary tasks that wait run in one process, and it dies."""
    session, held = f"doomed{next(numbers)}", []
    while taken := store.claim(session, free=1_000):
        held += taken
    die(store, *held)
    return held


def lost(store: Store, count: int, **overrides: object) -> list[Claimed]:
    """So many tasks that ran in one process when it died."""
    store.write(submissions.submit, *(submission(**overrides) for _ in range(count)))
    return perish(store)


def suspects(store: Store, count: int) -> list[Claimed]:
    """So many tasks under which two processes died in a row."""
    lost(store, count)
    return perish(store)


def deaths(store: Store, id_: str) -> int:
    """How many processes died in a row while the task ran in them."""
    return int(store.column(id_, "deaths"))


def counts(store: Store, id_: str) -> tuple[int, int]:
    """(suspect, loss_count)"""
    task = store.task(id_)
    return task.suspect, task.loss_count


def lose_alone(store: Store, times: int) -> str:
    """A task that was alone in as many quarantine processes that died; its id."""
    [one] = suspects(store, 1)
    for _ in range(times):
        [again] = apart(store)
        die(store, again)
    return one.id


@pytest.mark.parametrize(("held", "share"), [(1, 1), (2, 1), (15, 1), (16, 2), (64, 8), (72, 9), (500, 62)])
def test_an_eighth_of_those_that_were_together_may_be_together_again(held: int, share: int) -> None:
    """At least one."""
    assert share_after_death(held) == share


@pytest.mark.parametrize("held", [1, 2, 64])
def test_one_death_puts_nobody_under_suspicion(store: Store, held: int) -> None:
    """It may be a deploy: all run again at once and together, uncharged."""
    for one in lost(store, held):
        task = store.task(one.id)
        assert (task.status, task.retry_count) == (Status.PENDING, 0)
        assert (deaths(store, one.id), *counts(store, one.id)) == (1, 0, 0)
    assert apart(store) == []
    assert len(store.claim("next", free=100)) == held


@pytest.mark.parametrize("held", [1, 2, 64])
def test_the_second_death_in_a_row_makes_suspects_and_charges_nobody(store: Store, held: int) -> None:
    """Also when a process held one task only: it may have been killed from outside."""
    for one in suspects(store, held):
        task = store.task(one.id)
        assert (task.status, task.retry_count) == (Status.PENDING, 0)
        assert (deaths(store, one.id), *counts(store, one.id)) == (2, share_after_death(held), 0)
    assert store.claim("next", free=100) == []


def test_each_task_counts_its_own_deaths(store: Store) -> None:
    """Who joined for the second death is as innocent as the others were at the first."""
    [old] = lost(store, 1)
    new = store.submit()
    perish(store)
    assert [(deaths(store, id_), *counts(store, id_)) for id_ in (old.id, new)] == [(2, 1, 0), (1, 0, 0)]


@pytest.mark.parametrize("end", CLEARED, ids=str)
def test_an_end_between_two_deaths_starts_the_count_anew(store: Store, end: Status) -> None:
    """In whatever way an attempt ends by itself, its process lives; an operator's retry changes nothing."""
    [one] = lost(store, 1)
    [again] = store.claim("lives")
    store.finish(again, end)
    assert deaths(store, one.id) == 0
    store.retry(one.id)
    store.advance(60)
    perish(store)
    last = 0 if end is Status.COMPLETED else 1
    assert (deaths(store, one.id), *counts(store, one.id)) == (last, 0, 0)


def test_a_hand_back_between_two_deaths_changes_nothing(store: Store) -> None:
    """The attempt has shown neither that it kills nor that it does not."""
    [one] = lost(store, 1)
    store.finish(*store.claim("stops"), Status.PENDING)
    assert (deaths(store, one.id), *counts(store, one.id)) == (1, 0, 0)
    perish(store)
    assert (deaths(store, one.id), *counts(store, one.id)) == (2, 1, 0)


def test_a_cancel_between_two_deaths_ends_the_series(store: Store) -> None:
    """An operator who retries it afterwards means: as if nothing had been."""
    [one] = lost(store, 1)
    store.cancel(one.id)
    store.retry(one.id)
    assert deaths(store, one.id) == 0
    perish(store)
    assert counts(store, one.id) == (0, 0)


def test_the_number_that_counts_is_that_of_the_whole_process(store: Store) -> None:
    """A rescue moves 500 tasks a call; the last ten of 510 do not count as ten."""
    held = suspects(store, 510)
    assert {counts(store, one.id) for one in held} == {(63, 0)}


def test_each_process_counts_for_itself(store: Store) -> None:
    """Two that expire together are two deaths."""
    lost(store, 17)
    many, one = store.claim("many", free=16), store.claim("one")
    store.clock.advance(31)
    store.rescue(*store.read(sessions.expired))
    assert {counts(store, claimed.id) for claimed in many} == {(2, 0)}
    assert counts(store, one[0].id) == (1, 0)


def test_what_ended_before_the_death_does_not_count(store: Store) -> None:
    """Only what still ran can be the cause."""
    lost(store, 16)
    first, *rest = store.claim("doomed", free=16)
    store.finish(first)
    die(store, *rest)
    assert store.status(first.id) is Status.COMPLETED
    assert {counts(store, one.id) for one in rest} == {(1, 0)}


def test_a_process_that_leaves_on_purpose_casts_no_suspicion(store: Store) -> None:
    """It said so before it was gone, whoever gives its tasks back; nor does it clear anybody."""
    lost(store, 1)
    [one] = store.claim("leaving")
    store.write(sessions.leave, "leaving")
    store.clock.advance(31)
    store.rescue(*store.read(sessions.expired))
    assert (deaths(store, one.id), *counts(store, one.id)) == (1, 0, 0)
    assert [again.id for again in perish(store)] == [one.id]
    assert (deaths(store, one.id), *counts(store, one.id)) == (2, 1, 0)


def test_a_suspect_whose_process_leaves_stays_one(store: Store) -> None:
    """It showed nothing; and it is no loss."""
    id_ = lose_alone(store, 1)
    [one] = apart(store, session="leaving")
    store.write(sessions.leave, "leaving")
    die(store, one)
    assert counts(store, id_) == (1, 1)


def test_an_ordinary_claim_takes_no_suspect(store: Store) -> None:
    """And a claim of suspects takes nothing else."""
    [suspect] = suspects(store, 1)
    other = store.submit()
    assert [one.id for one in store.claim("w1", free=9)] == [other]
    assert [one.id for one in apart(store)] == [suspect.id]


def test_a_claimed_suspect_says_how_many_may_be_with_it(store: Store) -> None:
    """Its process must know before it asks for more."""
    suspects(store, 16)
    assert [one.suspect for one in apart(store)] == [2, 2]
    store.submit()
    assert [one.suspect for one in store.claim("w1")] == [0]


def test_sixty_four_are_cleared_in_groups_of_eight_then_alone(store: Store) -> None:
    """One of them kills: its group of eight dies, then it alone, three times. The others are cleared."""
    held = suspects(store, 64)
    killer, deaths, groups = held[20].id, 0, []
    while group := apart(store):
        groups.append(len(group))
        if killer in {one.id for one in group}:
            deaths += 1
            die(store, *group)
            continue
        for one in group:
            store.finish(one)
    task = store.task(killer)
    assert (task.status, task.error_code, task.loss_count) == (Status.FAILED, "worker_lost", MOST_LOSSES)
    assert deaths == 1 + MOST_LOSSES
    assert sorted(groups) == [1] * (7 + MOST_LOSSES) + [8] * 8
    innocent = [store.task(one.id) for one in held if one.id != killer]
    assert {(one.status, one.loss_count, one.retry_count) for one in innocent} == {(Status.COMPLETED, 0, 0)}


def test_the_largest_groups_come_first(store: Store) -> None:
    """Most are cleared soonest; within a group size the usual order holds."""
    [single] = suspects(store, 1)
    group = suspects(store, 16)
    assert [one.id for one in apart(store)] == [one.id for one in group[:2]]
    assert [one.id for one in apart(store, free=1)] == [group[2].id]
    for one in (one for _ in range(7) for one in apart(store)):
        store.finish(one)
    assert [one.id for one in apart(store)] == [single.id]


@pytest.mark.parametrize(
    ("beside", "more"), [((), 2), ((8,), 1), ((2,), 1), ((2, 2), 0), ((8, 8), 0), ((1,), 0), ((0,), 0)]
)
def test_nobody_joins_a_process_in_which_all_are_too_many(
    store: Store, beside: tuple[int, ...], more: int
) -> None:
    """What runs there allows so many, and so does what would come."""
    suspects(store, 16)
    assert len(apart(store, beside=beside)) == more


def test_each_lane_of_a_quarantine_has_its_slots(store: Store) -> None:
    """The group is counted over all lanes; none gets more than it has room for."""
    for task_type in ("fast", "slow") * 16:
        store.submit(task_type=task_type)
    lanes = (Lane(types=("fast",), free=16), Lane(types=("slow",), free=16))
    for session in ("first", "second"):
        die(store, *store.claim(session, lanes=lanes))
    lanes = (Lane(types=("fast",), free=9), Lane(types=("slow",), free=1))
    taken = apart(store, lanes=lanes)
    assert len(taken) == 4
    assert [one.task_type for one in taken].count("slow") <= 1


@pytest.mark.parametrize("end", CLEARED, ids=str)
def test_whoever_ends_its_attempt_is_no_suspect_any_more(store: Store, end: Status) -> None:
    """In whatever way, as long as its process lives; past losses are not forgotten."""
    id_ = lose_alone(store, 1)
    [one] = apart(store)
    store.finish(one, end)
    assert (deaths(store, id_), *counts(store, id_)) == (0, 0, 1)


def test_one_that_is_handed_back_is_still_a_suspect(store: Store) -> None:
    """Its worker stopped before it had shown anything."""
    id_ = lose_alone(store, 1)
    [one] = apart(store)
    store.finish(one, Status.PENDING)
    assert counts(store, id_) == (1, 1)


def test_a_cleared_one_runs_among_others_again(store: Store) -> None:
    """Its retry is an ordinary task's."""
    [one] = suspects(store, 1)
    store.finish(apart(store)[0], Status.RETRY)
    store.advance(3)
    assert [again.id for again in store.claim("w1")] == [one.id]


def test_three_deaths_alone_end_it(store: Store) -> None:
    """It fails with a code and a reason, its answer is owed, its timeline tells of each death."""
    store.submit(INBOX, unique="u")
    perish(store)
    [one] = perish(store)
    for losses in range(MOST_LOSSES):
        assert counts(store, one.id) == (1, losses)
        die(store, *apart(store))
    task = store.task(one.id)
    assert (task.status, task.error_code) == (Status.FAILED, "worker_lost")
    assert task.error == "Its worker died 3 times while it ran this task alone."
    assert (task.retry_count, task.exhausted, counts(store, one.id)) == (0, False, (0, 3))
    assert store.events(one.id) == ["accepted", *["started", "lost"] * 4, "started", "failed"]
    assert store.deliveries(one.id) == ["pending"]
    assert store.rows("SELECT DISTINCT outcome FROM attempt") == [("lost",)]
    assert store.submit(unique="u") != one.id


def test_a_death_among_others_is_never_a_loss(store: Store) -> None:
    """However often they die together."""
    held = suspects(store, 32)
    for _ in range(8):
        group = apart(store)
        assert len(group) == 4
        die(store, *group)
    assert {counts(store, one.id) for one in held} == {(1, 0)}


def test_a_cancel_beats_the_third_loss(store: Store) -> None:
    """Who was asked to stop and died has stopped."""
    id_ = lose_alone(store, 2)
    [one] = apart(store)
    store.cancel(id_)
    die(store, one)
    assert (store.status(id_), counts(store, id_)) == (Status.CANCELLED, (0, 2))


def test_a_waiting_suspect_can_be_cancelled(store: Store) -> None:
    """Like any pending task."""
    [one] = suspects(store, 1)
    assert store.cancel(one.id) is Status.CANCELLED
    assert counts(store, one.id) == (0, 0)


def test_a_suspect_past_its_deadline_is_not_started(store: Store) -> None:
    """It expires like any pending task."""
    lost(store, 1, deadline_at=store.clock.now_ms() + 1_000)
    perish(store)
    store.clock.advance(1)
    assert apart(store) == []
    store.advance(0)
    assert {row[0] for row in store.rows("SELECT error_code FROM task")} == {"expired"}


def test_an_operators_retry_runs_it_apart(store: Store) -> None:
    """With no losses; it must not take others with it at once."""
    id_ = lose_alone(store, MOST_LOSSES)
    assert store.retry(id_) is Status.FAILED
    assert counts(store, id_) == (1, 0)
    assert store.claim("w1", free=9) == []
    store.finish(apart(store)[0])
    assert (store.status(id_), counts(store, id_)) == (Status.COMPLETED, (0, 0))


def test_an_operators_retry_of_a_harmless_task_is_an_ordinary_one(store: Store) -> None:
    """Only a task that has killed is suspected of it."""
    id_ = store.ended(Status.FAILED)
    store.retry(id_)
    assert [one.id for one in store.claim("w1")] == [id_]


def test_a_pile_of_suspects_hides_no_ordinary_task(store: Store) -> None:
    """More than a claim reads stand at the head of the queue; what is behind them is found."""
    suspects(store, 1_100)
    ordinary = [store.submit() for _ in range(3)]
    assert [one.id for one in store.claim("w1", free=9)] == ordinary


def test_suspects_of_an_unknown_type_are_left_for_others(store: Store) -> None:
    """As in an ordinary claim."""
    suspects(store, 1)
    assert apart(store, types=("strange",)) == []


def test_two_processes_share_no_suspect(store: Store) -> None:
    """Two quarantine children may ask at once."""
    suspects(store, 16)
    wanted = {"queues": ("default",), "lanes": (Lane(types=("demo",), free=9),), "beside": ()}
    requests = [claims.ClaimRequest(session=store.session(name), **wanted) for name in ("a", "b")]
    one, two = store.write(claims.claim, *requests)
    assert (len(one), len(two)) == (2, 2)
    assert len({claimed.id for claimed in one + two}) == 4
