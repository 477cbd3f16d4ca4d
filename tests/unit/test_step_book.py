"""Which recorded step a call means."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from duly.execute.steps import Place, StepBook
from duly.model import wire
from duly.model.errors import InvalidInput, ReplayMismatch
from duly.model.task import EARLIER, Step


def recorded(name: str, n: int, arguments: Any, value: Any) -> Step:
    digest = wire.digest(arguments)
    return Step(name=name, n=n, digest=digest, value=json.dumps(value), attempt=1, duration_ms=1)


def remembered(places: list[Place], values: list[Any]) -> list[Step]:
    """What an attempt that took these places and got these values leaves for the next."""
    return [
        Step(name=one.name, n=one.n, digest=one.digest, value=json.dumps(value), attempt=1, duration_ms=1)
        for one, value in zip(places, values, strict=True)
    ]


def test_a_new_step_has_nothing_recorded() -> None:
    """It is number one of its name."""
    place = StepBook([]).take("fetch", None, [1])
    assert (place.name, place.n, place.recorded) == ("fetch", 1, None)


def test_calls_of_one_name_are_counted() -> None:
    """Each name by itself, each key by itself."""
    book = StepBook([])
    taken = [book.take(*call, []) for call in (("a", None), ("b", None), ("a", None), ("a", "k"), ("a", "k"))]
    assert [(one.name, one.n) for one in taken] == [("a", 1), ("b", 1), ("a", 2), ("a[k]", 1), ("a[k]", 2)]


def test_a_replay_finds_each_value_by_its_number() -> None:
    """The same calls in the same order get what was recorded."""
    first = StepBook([])
    calls = [("fetch", [1]), ("fetch", [2]), ("store", [1])]
    places = [first.take(name, None, arguments) for name, arguments in calls]
    again = StepBook(remembered(places, ["one", "two", "kept"]))
    assert [again.take(name, None, arguments).value() for name, arguments in calls] == ["one", "two", "kept"]


def test_other_arguments_on_replay_are_a_mismatch() -> None:
    """The code has changed; a value of other arguments would be wrong, silently."""
    book = StepBook([recorded("fetch", 1, [1], "one")])
    with pytest.raises(ReplayMismatch, match="'fetch' number 1"):
        book.take("fetch", None, [2])


def test_equal_arguments_are_equal_however_they_are_written() -> None:
    """Key order and tuples do not count."""
    book = StepBook([recorded("fetch", 1, [[1, 2], {"a": 1, "b": 2}], "one")])
    assert book.take("fetch", None, [(1, 2), {"b": 2, "a": 1}]).value() == "one"


async def test_a_number_is_taken_when_the_step_is_called() -> None:
    """Not when it is awaited: two calls awaited in the other order keep their numbers."""
    book = StepBook([])

    async def later(place: Place) -> int:
        await asyncio.sleep(0)
        return place.n

    first, second = later(book.take("a", None, [1])), later(book.take("a", None, [2]))
    assert [await second, await first] == [2, 1]


async def test_branches_that_share_a_name_must_tell_themselves_apart() -> None:
    """Without a key one would get the other's value on replay (M16)."""
    book = StepBook([])

    async def branch(number: int) -> Place:
        await asyncio.sleep(0)
        return book.take("fetch", None, [number])

    ended = await asyncio.gather(branch(1), branch(2), return_exceptions=True)
    assert [type(one) for one in ended] == [Place, ReplayMismatch]
    assert "key=" in str(ended[1])


async def test_branches_with_keys_replay_in_any_order() -> None:
    """Each finds its own value, whichever comes first."""

    async def branch(book: StepBook, number: int) -> Place:
        await asyncio.sleep(0)
        return book.take("fetch", str(number), [number])

    first = StepBook([])
    places = await asyncio.gather(*(branch(first, number) for number in (1, 2, 3)))
    again = StepBook(remembered(list(places), ["one", "two", "three"]))
    replayed = await asyncio.gather(*(branch(again, number) for number in (3, 1, 2)))
    assert [place.value() for place in replayed] == ["three", "one", "two"]


def test_steps_of_a_thread_are_one_branch() -> None:
    """Outside a loop there is nobody to tell apart."""
    book = StepBook([])
    assert [book.take("a", None, []).n for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("name", ["", "a b", "a[b]", "x" * 61, "界", None, 7])
def test_a_name_is_a_name(name: Any) -> None:
    """It goes into columns and timelines."""
    with pytest.raises(InvalidInput, match="a step's name"):
        StepBook([]).take(name, None, [])


@pytest.mark.parametrize("arguments", [[object()], [b"bytes"], [{1, 2}], [{1: 2, "b": 3}]])
def test_arguments_must_be_json(arguments: Any) -> None:
    """Or no replay could check them; the message says how to bind others."""
    with pytest.raises(InvalidInput, match=r"functools\.partial"):
        StepBook([]).take("fetch", None, arguments)


def test_long_keys_fit_their_column_and_stay_apart() -> None:
    """A key may be a URL: it is shortened to a digest."""
    book = StepBook([])
    names = {book.take("fetch", f"https://example.com/{'x' * 200}/{number}", []).name for number in range(50)}
    assert len(names) == 50
    assert max(map(len, names)) <= 100


def test_a_recorded_null_is_a_value() -> None:
    """A step that returned nothing is not run again."""
    place = StepBook([recorded("note", 1, [], None)]).take("note", None, [])
    assert place.recorded is not None
    assert place.value() is None


def test_a_sleep_that_is_over_is_passed() -> None:
    """The next is a place of its own."""
    book = StepBook([], {"nap": {1, 2}})
    assert [book.take_sleep("nap", None) for _ in range(2)] == [None, None]
    place = book.take_sleep("nap", None)
    assert place is not None
    assert (place.name, place.n, place.recorded) == ("nap", 3, None)


async def test_branches_may_not_share_the_sleeps_that_are_over() -> None:
    """Else one passes with another's, and that one waits for the first one's end."""
    book = StepBook([], {"nap": {1}})

    async def branch(key: str | None) -> Place | None:
        return book.take_sleep("nap", key)

    ended = await asyncio.gather(branch(None), branch(None), branch("b"), return_exceptions=True)
    assert [type(one) for one in ended] == [type(None), ReplayMismatch, Place]


def test_a_sleep_that_is_over_is_no_other_call() -> None:
    """The code has changed: a step, a wait or a gather is there now."""
    for call in ("take", "take_wait", "take_gather"):
        take = getattr(StepBook([], {"it": {1}}), call)
        with pytest.raises(ReplayMismatch, match="'it' number 1"):
            take("it", None, "it", **({"eager": True} if call == "take_gather" else {}))


def test_a_sleep_that_is_over_may_be_left_out() -> None:
    """A handler that tried again after a pause needs no pause where the first try goes well."""
    StepBook([], {"nap": {1, 2}}).close()


def test_what_followed_a_failure_may_be_left_out() -> None:
    """The failure is not remembered; who fails again finds what was remembered after it."""
    first = StepBook([])
    before = first.take("read", None, [])
    with pytest.raises(ZeroDivisionError), first.watched():
        raise ZeroDivisionError
    after = first.take("fall.back", None, ["x"])
    steps = [place.step(1, value="7") for place in (before, after)]
    again = StepBook(steps)
    again.take("read", None, [])
    again.close()
    assert again.take("fall.back", None, ["x"]).value() == 7
    with pytest.raises(ReplayMismatch, match="'read' number 1"):
        StepBook(steps).close()
    with pytest.raises(ReplayMismatch, match="what follows a failure"):
        StepBook(steps).take("fall.back", None, ["y"])


def test_a_call_within_an_except_follows_a_failure() -> None:
    """Whatever raised: it need not have been a step."""
    book = StepBook([])
    try:
        1 // len("")
    except ZeroDivisionError:
        step = book.take("alert", None, []).step(1, value="null")
    assert not book.take("read", None, []).shaken
    StepBook([step]).close()


def test_a_replay_that_asks_for_all_may_end() -> None:
    """In whichever order, and with new calls besides."""
    book = StepBook([recorded("fetch", n, [n], n) for n in (1, 2)] + [recorded("a[k]", 1, [], 0)])
    for name, key, arguments in (
        ("new", None, []),
        ("a", "k", []),
        ("fetch", None, [1]),
        ("fetch", None, [2]),
    ):
        book.take(name, key, arguments)
    book.close()


@pytest.mark.parametrize("left", ["fetch", "a[k]"])
def test_a_replay_that_ends_without_a_step_is_a_mismatch(left: str) -> None:
    """It was renamed, or is gone; who continues older tasks may do so."""
    steps = [recorded("fetch", 1, [], 1), recorded(left, 2 if left == "fetch" else 1, [], 2)]
    book, lenient = StepBook(steps), StepBook(steps, whole=False)
    for one in (book, lenient):
        one.take("fetch", None, [])
    with pytest.raises(ReplayMismatch, match=f"step '{re.escape(left)}' number"):
        book.close()
    lenient.close()


def earlier(name: str, n: int, arguments: Any, value: Any) -> Step:
    """One that followed a gather which is asked anew."""
    step = recorded(name, n, arguments, value)
    return step._replace(digest=EARLIER + step.digest[1:])


def test_what_followed_an_earlier_answer_is_found_by_its_arguments() -> None:
    """In any order; what is new among it gets a number that none of it has, and is found by that."""
    steps = [recorded("print", 1, [0], 0), earlier("print", 2, [1], 1), earlier("print", 3, [3], 3)]
    for _ in range(2):
        book = StepBook(steps)
        taken = [book.take("print", None, [one]) for one in (0, 1, 2, 3)]
        assert [one.n for one in taken] == [1, 2, 4, 3]
        assert [one.value() for one in taken if one.n != 4] == [0, 1, 3]
        steps.append(recorded("print", 4, [2], 2))
    assert taken[2].value() == 2
    book.close()


def test_what_followed_an_earlier_answer_is_found_as_often_as_it_was_made() -> None:
    """One more call of the same arguments is a new one; and none of them need be made."""
    steps = [earlier("print", n, [1], n) for n in (1, 2)]
    book = StepBook(steps)
    assert [book.take("print", None, [1]).n for _ in range(3)] == [1, 2, 3]
    StepBook(steps).close()
    book = StepBook([earlier("print", 1, [9], 9), earlier("print", 2, [1], 1)])
    assert [book.take("print", None, [1]).n for _ in range(2)] == [2, 3]


def test_calls_that_go_the_same_way_find_their_own_numbers() -> None:
    """Though like ones were recorded in another order, and some were spared."""
    book = StepBook([earlier("vote", n, [1], n) for n in (2, 1)] + [earlier("again", 2, [1], 2)])
    assert [book.take("vote", None, [1]).n for _ in range(2)] == [1, 2]
    spared, made = (book.take("again", None, [1]) for _ in range(2))
    assert (spared.n, spared.recorded, made.n, made.value()) == (1, None, 2, 2)


def test_each_round_gives_calls_of_equal_arguments_the_same_values() -> None:
    """What was made in one round is found by the same call in the next, and no other."""
    steps = [earlier("x", n, [one], n) for n, one in enumerate("abc", 1)]
    for _ in range(2):
        book = StepBook(steps)
        assert [book.take("x", None, [one]).n for one in "cbc"] == [3, 2, 4]
        steps.append(recorded("x", 4, ["c"], 4))
    book.close()


def test_a_sleep_that_is_over_is_found_beside_an_earlier_one() -> None:
    """The second of two at once is over before the first."""
    open_ = earlier("pause", 1, ["wait", ""], None)._replace(waits_for="")
    book = StepBook([open_], {"pause": {2}})
    first, second = book.take_sleep("pause", None), book.take_sleep("pause", None)
    assert first is not None
    assert (first.n, second) == (1, None)


def test_earlier_steps_are_found_at_once() -> None:
    """However many there are, and though none is found by its own number."""
    count = 20_000
    book = StepBook([earlier("print", n, [n], n) for n in range(1, count + 1)])
    assert [book.take("print", None, [n]).n for n in range(count, 0, -1)] == list(range(count, 0, -1))


def test_a_new_call_with_other_arguments_is_a_mismatch_beside_earlier_ones() -> None:
    """What was recorded since must be asked for again as it was."""
    book = StepBook([earlier("print", 1, [1], 1), recorded("print", 2, [2], 2)])
    with pytest.raises(ReplayMismatch, match="'print' number 2"):
        book.take("print", None, [3])
