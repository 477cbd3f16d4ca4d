"""How the Prefer header is read (RFC 7240), and Last-Event-ID."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from duly.http.prefer import last_event_id, preference
from duly.http.timeline import place_of


def request(*values: str, name: str = "prefer") -> Request:
    headers = [(name.encode(), value.encode("latin-1")) for value in values]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": headers})


@pytest.mark.parametrize(
    ("values", "wait", "applied"),
    [
        ((), 0, ""),
        (("wait=10",), 10, "wait=10"),
        (("WAIT = 10",), 10, "wait=10"),
        (('wait="10"',), 10, "wait=10"),
        (("wait=10; strict=yes",), 10, "wait=10"),
        (("respond-async",), 0, "respond-async"),
        (("respond-async, wait=10",), 10, "respond-async, wait=10"),
        (("respond-async", "wait=10"), 10, "respond-async, wait=10"),
        (("wait=3, wait=9",), 3, "wait=3"),
        (("wait=3", "wait=9"), 3, "wait=3"),
        (("wait=99999",), 60, "wait=60"),
        (("wait=0",), 0, "wait=0"),
        (("wait=-1",), 0, ""),
        (("wait=1.5",), 0, ""),
        (("wait=",), 0, ""),
        (("wait",), 0, ""),
        (("wait=ten",), 0, ""),
        (("wait=²",), 0, ""),
        (("wait=1" + "0" * 500,), 0, ""),
        (("return=minimal, handling=lenient, wait=5",), 5, "wait=5"),
        (('foo="a, wait=9", wait=5',), 5, "wait=5"),
        (('foo="unclosed, wait=9',), 0, ""),
        (("=,;;,wait=5,,",), 5, "wait=5"),
        (("x" * 100_000,), 0, ""),
    ],
)
def test_prefer_is_read_as_the_standard_says(values: tuple[str, ...], wait: float, applied: str) -> None:
    """The first of duplicates counts, names ignore case, the rest and the unreadable is ignored."""
    found = preference(request(*values), 60)
    assert (found.wait, found.applied) == (wait, applied)


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("", 0), ("-1", 0), ("x", 0), ("²", 0), ("9" * 30, 0), ("1e3", 0)]
)
def test_an_event_id_that_is_none_of_ours_starts_from_the_beginning(text: str, number: int) -> None:
    """Nothing is lost to a reader whose Last-Event-ID cannot be read."""
    assert place_of(last_event_id(request(text, name="last-event-id"))).seq == number
