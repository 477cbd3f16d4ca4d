"""Which handler does which task type, and whether an input fits it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from duly.model.errors import InvalidInput, UnknownTaskType
from duly.registry import Registry, TaskType


async def loop(ctx: Any, a: int, b: int = 2) -> None: ...
def thread(ctx: Any, **rest: Any) -> None: ...
def only(ctx: Any, /, *, key: str) -> None: ...
def bare() -> None: ...


def kind(handler: Callable[..., Any] = loop, **overrides: Any) -> TaskType:
    return TaskType(**{"name": "demo", "handler": handler, **overrides})


@pytest.mark.parametrize(
    ("handler", "input_", "bound"),
    [
        (loop, {"a": 1}, {"a": 1}),
        (loop, {"b": 1, "a": 2}, {"b": 1, "a": 2}),
        (thread, {}, {}),
        (thread, {"anything": [1]}, {"anything": [1]}),
        (only, {"key": "x"}, {"key": "x"}),
    ],
)
def test_an_input_becomes_keyword_arguments(
    handler: Callable[..., Any], input_: dict[str, Any], bound: Any
) -> None:
    """The context is not among them."""
    assert kind(handler).bind(input_) == bound


@pytest.mark.parametrize(
    ("handler", "input_"),
    [
        (loop, {}),
        (loop, {"a": 1, "c": 2}),
        (loop, {"ctx": 1, "a": 2}),
        (thread, {"ctx": 1}),
        (only, {}),
        (loop, None),
        (loop, [1]),
        (loop, "a"),
        (loop, {1: 2}),
    ],
)
def test_an_input_that_does_not_fit_is_refused(handler: Callable[..., Any], input_: Any) -> None:
    """Missing, too much, the context's own name, or no object at all."""
    with pytest.raises(InvalidInput, match="'demo'"):
        kind(handler).bind(input_)


@pytest.mark.parametrize(
    ("handler", "isolate", "lane"),
    [(loop, False, "loop"), (thread, False, "thread"), (loop, True, "process"), (thread, True, "process")],
)
def test_a_handler_has_its_lane(handler: Callable[..., Any], isolate: bool, lane: str) -> None:
    """Async ones share the loop, plain ones have threads, isolated ones processes."""
    assert kind(handler, isolate=isolate).lane == lane


@pytest.mark.parametrize(
    "overrides",
    [{"name": ""}, {"name": "a b"}, {"queue": "a/b"}, {"timeout": 0}, {"timeout": -1}, {"handler": bare}],
)
def test_a_declaration_without_sense_is_refused(overrides: dict[str, Any]) -> None:
    """When the module is loaded."""
    with pytest.raises((ValueError, InvalidInput), match=r"must be|needs a first parameter"):
        kind(**overrides)


def test_two_handlers_cannot_share_a_name() -> None:
    """Which one would run? The same one twice is fine: a module may be loaded by two ways."""
    registry = Registry()
    registry.add(kind())
    registry.add(kind())
    with pytest.raises(ValueError, match="two handlers"):
        registry.add(kind(thread))
    assert len(registry) == 1


def test_a_registry_takes_over_another() -> None:
    """With all its types, each in its lane."""
    ours, theirs = Registry(), Registry()
    theirs.add(kind(name="z"))
    theirs.add(kind(thread, name="a"))
    theirs.add(kind(name="b"))
    ours.include(theirs)
    assert ours.words("loop") == ["b", "b@", "z", "z@"]
    assert (ours.words("thread"), ours.words("process")) == (["a", "a@"], [])


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    """Or with the hint how handlers are loaded."""
    registry = Registry()
    with pytest.raises(UnknownTaskType, match="--app"):
        registry["demo"]
    registry.add(kind())
    with pytest.raises(UnknownTaskType, match="known: demo") as caught:
        registry["dmeo"]
    assert caught.value.fields == {"name": "dmeo"}


def test_a_handler_without_a_version_has_the_empty_one() -> None:
    """Its worker takes what no code has begun, and what code without a version has."""
    assert kind().words == ("demo", "demo@")


def test_a_worker_has_the_words_of_its_handlers() -> None:
    """Each type, and each version of it that the handler can continue, once; by lane if asked."""
    known = Registry()
    known.add(kind(loop, versions=("2", "1", "2")))
    known.add(kind(thread, name="plain", versions=("v1.2",)))
    assert known.words() == ["demo", "demo@1", "demo@2", "plain", "plain@v1.2"]
    assert known.words("thread") == ["plain", "plain@v1.2"]


@pytest.mark.parametrize("versions", [("a b",), ("1@2",), ("1,2",), (2,), ("x" * 65,), (None,), ()])
def test_a_version_is_a_name(versions: Any) -> None:
    """It goes into a column, and into lists between commas."""
    with pytest.raises((InvalidInput, ValueError), match="version"):
        kind(versions=versions)
