"""The encoder of server-sent events under every text there is."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from site_under_test import parsed

from duly.http.sse import encode

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
