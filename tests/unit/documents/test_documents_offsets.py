"""Offsets: every character can be found again, quoted, and cut into chunks without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.documents import Document, from_text, split

SENTENCES = st.text(alphabet="采购投标，。；\n\t a.B1", min_size=0, max_size=400)
PARTS = st.lists(
    st.tuples(SENTENCES.map(lambda t: t.replace("\n", " ")), st.integers(1, 9), st.none()), max_size=12
)


@given(PARTS)
def test_each_passage_stands_at_its_offsets(parts: list[tuple[str, int, None]]) -> None:
    """`text[start:end]` is the passage, for every passage."""
    document = Document.of("pdf", list(parts), pages=9)
    assert all(document.quote(p.start, p.end) == p.text for p in document.passages)


@given(PARTS, st.integers(1, 300))
def test_chunks_lose_nothing(parts: list[tuple[str, int, None]], max_chars: int) -> None:
    """Chunks are within the size asked for, follow on each other, and join to the text."""
    document = Document.of("pdf", list(parts), pages=9)
    chunks = split(document, max_chars)
    assert "".join(chunk.text for chunk in chunks) == document.text
    assert all(0 < len(chunk.text) <= max_chars for chunk in chunks)
    assert all(document.quote(chunk.start, chunk.end) == chunk.text for chunk in chunks)
    assert all(document.place(chunk.start).page == chunk.page for chunk in chunks)


@given(PARTS)
def test_a_document_survives_json(parts: list[tuple[str, int, None]]) -> None:
    """What `to_json` writes, `from_json` reads back unchanged."""
    document = Document.of("pdf", list(parts), pages=9, warnings=("unreadable: pages 2",), sha256="ab")
    assert Document.from_json(document.to_json()) == document


def test_chunks_end_at_sentence_ends() -> None:
    """Running text is cut after a full stop, and in parts of like size."""
    chunks = split(from_text("本项目的投标截止时间以公告为准。" * 300), 1000)
    assert all(chunk.text.endswith("。") for chunk in chunks)
    assert min(len(chunk.text) for chunk in chunks) > 500


def test_every_character_has_a_place() -> None:
    """Any offset leads to the page or paragraph it came from."""
    document = Document.of("pdf", [("ab", 1, None), ("", 1, None), ("cd", 3, None)], pages=3)
    assert [document.place(n).page for n in range(len(document.text))] == [1, 1, 1, 1, 3, 3]


@pytest.mark.parametrize("offset", [-1, 5, 99])
def test_an_offset_outside_is_an_error(offset: int) -> None:
    """There is no place outside the text."""
    with pytest.raises(IndexError):
        from_text("hello").place(offset)


def test_no_control_character_gets_in() -> None:
    """What a strict JSON gate refuses (NUL, escape, a lone surrogate) is dropped before offsets count."""
    document = Document.of("pdf", [("a\x00b\x1b\ud800c", 1, None)], pages=1)
    assert document.text == document.passages[0].text == "abc"


def test_a_chunk_stays_in_its_chapter() -> None:
    """No chunk crosses a chapter's heading, a line of the contents opens none, and each knows its chapter."""
    lines = ["目录", "第一章 公告 3", "第一章 公告", "甲。" * 30, "第二章 评标", "乙。" * 30]
    chunks = split(from_text("\n".join(lines)), 50)
    assert {chunk.chapter for chunk in chunks} == {None, "第一章 公告", "第二章 评标"}
    assert not [chunk for chunk in chunks if "甲" in chunk.text and "乙" in chunk.text]
    assert "".join(chunk.text for chunk in chunks) == "\n".join(lines)


def test_context_is_what_comes_before_in_the_chapter() -> None:
    """Context repeats the end of the chunk before, within the chapter; the chunks do not overlap."""
    text = "第一章 甲\n" + "一二三四。" * 8 + "\n第二章 乙\n" + "五六七八。" * 8
    chunks = split(from_text(text), 20, context=5)
    assert all(chunk.context in text[: chunk.start] for chunk in chunks)
    assert [chunk.context for chunk in chunks if chunk.text.startswith("第")] == ["", ""]
    assert {len(chunk.context) for chunk in chunks if not chunk.text.startswith("第")} == {5}
