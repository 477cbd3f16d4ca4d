"""External jobs in the store: what is kept, which answer stands, what a lost attempt may not do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from duly.model.job import Answered, Heard, JobState, Opened, Polled, Submitted, Word, signal_name
from duly.model.state import Status
from duly.model.task import Claimed, Step
from duly.store import jobs, lists, recall, signals, transitions
from duly.store.jobs import Callback, CalledBack
from support.races import RACES, race
from support.stores import Store

MINUTE = 60_000
WAIT = Step(name="film", n=2, digest="w", value="null", attempt=1, waits_for=signal_name("film", 1))


def submitted(timeout_ms: int | None = None) -> Submitted:
    step = Step(name="film", n=1, digest="s", value='"v-1"', attempt=1)
    return Submitted(step, "v-1", MINUTE, None, timeout_ms)


def report(claimed: Claimed, word: Word | None = None) -> jobs.Report:
    return jobs.Report(id=claimed.id, attempt=claimed.attempt, name="film", n=1, wait=WAIT, word=word)


def tell(store: Store, claimed: Claimed, *words: Word | None) -> JobState | None:
    """How the job stands after the last of these words; None means lease lost."""
    state = None
    for word in words:
        [state] = store.write(jobs.report, report(claimed, word))
    return state


def tracking(store: Store, timeout_ms: int | None = None) -> Claimed:
    """A running attempt that has submitted its job."""
    claimed = store.running()
    tell(store, claimed, Opened("hash"), submitted(timeout_ms))
    return claimed


def called_back(store: Store, id_: str, data: str) -> bool:
    [kept] = store.write(jobs.called_back, CalledBack(Callback(id_, "film", 1, "hash"), data))
    return bool(kept)


def said(store: Store, id_: str) -> list[Any]:
    """What the timeline says of the job."""
    return [event.data["did"] for event in store.read(lists.events, id_) if event.type == "job"]


def answer(state: JobState | None) -> tuple[Any, str]:
    """Which signal a wait that is over took, and its value."""
    assert state is not None
    return state.step.taken, state.step.value


def test_the_id_is_kept_with_the_wait_for_it(store: Store) -> None:
    """One commit: the step, the wait, the row, the line; the first poll is due then."""
    claimed = tracking(store, 5 * MINUTE)
    state = tell(store, claimed, None)
    assert state is not None
    assert (state.external_id, state.polls, state.step.taken) == ("v-1", 0, None)
    assert state.step.due_at == store.clock.now_ms() + MINUTE
    assert [(one.name, one.n, one.value) for one in store.read(recall.steps, claimed.id)] == [
        ("film", 1, '"v-1"'),
        ("film", 2, "null"),
    ]
    [job] = store.read(jobs.open_jobs, claimed.id)
    assert (job["external_id"], job["deadline_at"]) == ("v-1", store.clock.now_ms() + 5 * MINUTE)
    assert said(store, claimed.id) == ["submitted"]


@pytest.mark.parametrize("ended", [False, True])
def test_what_is_told_again_changes_nothing_more(store: Store, ended: bool) -> None:
    """Its answer may have been lost."""
    claimed = tracking(store, 5 * MINUTE)
    store.clock.advance(10)
    again = [Opened("hash"), submitted(5 * MINUTE), Polled(1, MINUTE, "503"), Polled(1, MINUTE, "503")]
    if ended:
        again += [Answered("1"), Answered("1"), Polled(2, MINUTE)]
    state = tell(store, claimed, *again)
    assert state is not None
    assert (state.polls, state.failures) == (1, 1)
    assert said(store, claimed.id) == ["submitted", "poll_failed", *(["answered"] if ended else [])]
    [row] = store.read(lists.rows_of, "job", claimed.id)
    assert row["deadline_at"] == store.clock.now_ms() - 10_000 + 5 * MINUTE


def test_a_lost_attempt_tells_nothing(store: Store) -> None:
    """Neither an id nor an answer: the attempt that owns the task has its own."""
    claimed = store.running()
    tell(store, claimed, Opened("hash"))
    store.rescue("w1")
    assert tell(store, claimed, submitted()) is None
    assert tell(store, claimed, Answered("1")) is None
    assert store.rows("SELECT count(*) FROM step") == [(0,)]


def test_each_secret_that_a_vendor_may_have_opens_the_place(store: Store) -> None:
    """An attempt that died before the id was kept has given its address away."""
    first = store.running()
    tell(store, first, Opened("one"))
    store.rescue("w1")
    [second] = store.claim("w2")
    tell(store, second, Opened("two"), submitted())
    assert {one.secret_hash for one in store.read(jobs.callbacks, second.id)} == {"one", "two"}
    assert [job["external_id"] for job in store.read(jobs.open_jobs, second.id)] == ["v-1"]


def test_the_first_answer_stands(store: Store) -> None:
    """A poll's, whatever is called back later; and the task keeps one answer only."""
    claimed = tracking(store)
    assert answer(tell(store, claimed, Answered('"poll"'))) == (1, '"poll"')
    assert not called_back(store, claimed.id, '"callback"')
    assert answer(tell(store, claimed, Answered('"later"'))) == (1, '"poll"')
    assert len(store.read(lists.rows_of, "signal", claimed.id)) == 1
    assert store.read(recall.steps, claimed.id)[-1].value == '"poll"'


def test_a_callback_is_judged_by_the_attempt(store: Store) -> None:
    """What is not final is told and put aside; the next one is seen then, and taken if it is final."""
    claimed = tracking(store)
    assert called_back(store, claimed.id, '"half"')
    assert called_back(store, claimed.id, '"done"')
    state = tell(store, claimed, None)
    assert state is not None
    assert state.callback == (1, '"half"')
    state = tell(store, claimed, Heard(1, final=False), Heard(1, final=False))
    assert state is not None
    assert (state.callback, state.step.taken) == ((2, '"done"'), None)
    assert answer(tell(store, claimed, Heard(2, final=True))) == (2, '"done"')
    assert said(store, claimed.id) == ["submitted", "not_final", "answered"]


def test_a_callback_wakes_who_waits(store: Store) -> None:
    """Also one that came between the attempt's last look and its suspension."""
    claimed = tracking(store)
    state = tell(store, claimed, None)
    assert state is not None
    assert store.suspend(claimed, state.step) is Status.WAITING
    assert store.task(claimed.id).wait_kind == "job"
    assert called_back(store, claimed.id, '"done"')
    assert store.status(claimed.id) is Status.PENDING
    [again] = store.claim()
    tell(store, again, Heard(1, final=False))
    assert called_back(store, claimed.id, '"really done"')
    assert store.suspend(again, state.step) is Status.PENDING


def test_a_callback_before_the_id_is_kept_is_kept(store: Store) -> None:
    """Some vendors are faster than their own answer."""
    claimed = store.running()
    tell(store, claimed, Opened("hash"))
    assert called_back(store, claimed.id, '"done"')
    state = tell(store, claimed, submitted())
    assert state is not None
    assert state.callback == (1, '"done"')


def test_no_callback_wakes_an_ended_task(store: Store) -> None:
    """It is known, and changes nothing."""
    claimed = tracking(store)
    store.finish(claimed)
    assert not called_back(store, claimed.id, '"done"')
    assert store.status(claimed.id) is Status.COMPLETED


def test_polls_end_at_the_deadline(store: Store) -> None:
    """The last one is due then, however long the interval; after it the wait is over, without an answer."""
    claimed = tracking(store, 2 * MINUTE)
    start = store.clock.now_ms()
    store.clock.advance(60)
    state = tell(store, claimed, Polled(1, 10 * MINUTE))
    assert state is not None
    assert (state.step.due_at, state.step.taken) == (start + 2 * MINUTE, None)
    store.clock.advance(60)
    assert answer(tell(store, claimed, Polled(2, MINUTE))) == (0, "null")
    assert said(store, claimed.id) == ["submitted", "timed_out"]
    assert not called_back(store, claimed.id, '"too late"')


def test_a_callback_is_heard_before_the_time_is_over(store: Store) -> None:
    """It came in time, though nobody has judged it yet."""
    claimed = tracking(store, MINUTE)
    store.clock.advance(61)
    called_back(store, claimed.id, '"done"')
    state = tell(store, claimed, Polled(1, MINUTE))
    assert state is not None
    assert (state.step.taken, state.callback) == (None, (1, '"done"'))


@pytest.mark.only("postgres", "mariadb")
def test_a_poll_and_a_callback_at_once_are_one_answer(store: Store, others: list[Store]) -> None:
    """Whichever is first stands, and the other one leaves nothing that could be taken for it."""

    def call_back(one: Store, claimed: Claimed) -> None:
        called_back(one, claimed.id, '"callback"')

    def poll(one: Store, claimed: Claimed) -> None:
        assert answer(tell(one, claimed, Answered('"poll"'))) == answer(tell(one, claimed, None))

    for _ in range(RACES // 4):
        store.submit()
    running = store.claim(free=RACES // 4)
    for claimed in running:
        tell(store, claimed, Opened("hash"), submitted())
    race(others, running, call_back, poll)
    for claimed in running:
        assert said(store, claimed.id) == ["submitted", "answered"]
        assert answer(tell(store, claimed, None))[1] == '"poll"'


@pytest.mark.only("postgres", "mariadb")
def test_a_callback_waits_for_the_end_that_is_being_kept(
    store: Store, others: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told that it came too late, for it reads after the attempt has let go of the task."""
    claimed, asks, calling = tracking(store), threading.Event(), []

    def facts(tx: Any, ids: Any) -> Any:
        asks.set()
        return transitions.facts(tx, ids)

    def ends(tx: Any, items: Any) -> list[Any]:
        answers = jobs.report(tx, items)
        calling.append(thread.submit(called_back, others[0], claimed.id, '"callback"'))
        assert asks.wait(30)
        return list(answers)

    for module in (jobs, signals):
        monkeypatch.setattr(module, "facts", facts)
    with ThreadPoolExecutor(1) as thread:
        store.write(ends, report(claimed, Answered('"poll"')))
        assert calling[0].result(30) is False
