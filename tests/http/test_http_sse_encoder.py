"""The encoder of server-sent events under every text there is."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

from hypothesis import given, settings
from hypothesis import strategies as st
from site_under_test import parsed

from duly.client import sse
from duly.deliver.feed import FeedEvent
from duly.http.sse import encode
from duly.http.streams import wire

NASTY = st.text(
    alphabet=st.one_of(st.sampled_from("\r\n\0: \u2028\u2029\u0085\x0b\x0c\ufeffdateivn"), st.characters())
)


@settings(max_examples=300, deadline=None)
@given(
    event=NASTY.filter(lambda text: text.strip()), data=NASTY, id_=st.one_of(st.none(), st.integers(1, 2**31))
)
def test_one_event_in_is_one_event_out(event: str, data: str, id_: int | None) -> None:
    """Whatever its texts hold, an event is read as one event, its data with line ends as \\n."""
    [read] = parsed(encode(event, data, id_))
    assert read["data"] == re.sub(r"\r\n|\r", "\n", data)
    assert read.get("id") == (None if id_ is None else str(id_))
    assert read["event"] == re.sub(r"[\r\n\0]", " ", event)


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(NASTY, max_size=5))
def test_events_in_a_row_stay_apart(texts: list[str]) -> None:
    """As many events come out as went in, in order."""
    wire = "".join(encode("log", text, number) for number, text in enumerate(texts, 1))
    assert [read["id"] for read in parsed(wire)] == [str(number) for number in range(1, len(texts) + 1)]


@settings(max_examples=200, deadline=None)
@given(task_id=NASTY, type_=NASTY.filter(lambda text: text.strip()), cursor=NASTY, message=NASTY)
def test_a_line_of_many_tasks_is_one_event_whatever_it_says(
    task_id: str, type_: str, cursor: str, message: str
) -> None:
    """Its id stays one line, and what its data says arrives as it was."""
    line = FeedEvent(
        type=type_, cursor=cursor, task_id=task_id, seq=1, at=0, data={"message": message, message: [message]}
    )
    [read] = parsed(encode(line.type, wire(line), line.cursor))
    said = json.loads(read["data"])
    assert (said["task_id"], said["type"]) == (task_id, type_)
    assert said["data"] == line.data
    assert read["id"] == re.sub(r"[\r\n\0]", " ", cursor)


@settings(max_examples=200, deadline=None)
@given(texts=st.lists(NASTY, min_size=1, max_size=5))
async def test_our_client_reads_what_an_eventsource_reads(texts: list[str]) -> None:
    """The same events, with the same ids and data."""
    stream = "".join(encode(text.strip() or "log", text, number) for number, text in enumerate(texts, 1))

    async def pieces() -> AsyncIterator[str]:
        for start in range(0, len(stream), 7):
            yield stream[start : start + 7]

    ours = [(one.name, one.id, one.text) async for one in sse.events(sse.lines(pieces()))]
    assert ours == [(one["event"], one["id"], one["data"]) for one in parsed(stream)]
