"""The document as the rules see it: without running heads and tables of contents, with exact quotes."""

from __future__ import annotations

import bisect
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from duly_apps.tender.language import Language, language_of
from duly_apps.tender.lines import lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from duly.documents import Document, Passage

_DOTTED = re.compile(r"[.．…·。]{4}\s*\d{0,4}$")
_CONTENTS_LINE = re.compile(r"^\D.{1,60}[\t .…·．]+\d{1,4}$")
_CONTENTS_TITLE = re.compile(r"^(目\s*录|(table of )?contents)$", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[。；！？]|[.;!?](?=\s|$)")
_CHAPTER = re.compile(r"第[一二三四五六七八九十\d]+[章节部]|[一二三四五六七八九十]{1,3}、")
_HEADING = re.compile(
    r"第[一二三四五六七八九十\d]+[章节部]|[一二三四五六七八九十]{1,3}、|\d{1,2}(\.\d{1,2})*[.、．]?\s*\D|[A-Z]"
)
_MOST_SECTIONS = 20  # a document of nothing but headings would cost its length squared
_REACH = 600  # characters: no sentence is looked for further away, so that one endless line costs no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact. `start` and `end` bound its quote in the document; `normal` is the value for a machine."""

    key: str
    value: str
    start: int
    end: int
    normal: Any = None
    label: str = ""


class Corpus:
    """The passages worth searching, the language, and the way from a match to its quote."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.language: Language = language_of(document.text)
        self.passages = tuple(_kept(document))

    def matches(self, pattern: re.Pattern[str]) -> Iterator[tuple[Passage, re.Match[str]]]:
        """Every match in reading order; none crosses a passage."""
        return ((p, m) for p in self.passages for m in pattern.finditer(p.text))

    def following(self, passage: Passage) -> Passage | None:
        """The next passage worth searching."""
        at = bisect.bisect_right(self.passages, passage.start, key=lambda p: p.start)
        return self.passages[at] if at < len(self.passages) else None

    def sentence(self, passage: Passage, start: int, end: int) -> tuple[int, int]:
        """The sentence around `start:end` of the passage, as document offsets; of a table row, the row."""
        if "\t" in passage.text and len(passage.text) < 2 * _REACH:
            return passage.start, passage.end
        earliest, latest = max(0, start - _REACH), min(len(passage.text), end + _REACH)
        before = [m.end() for m in _SENTENCE_END.finditer(passage.text, earliest, start)]
        after = _SENTENCE_END.search(passage.text, max(end - 1, start), latest)
        first = before[-1] if before else earliest
        while passage.text[first].isspace():
            first += 1
        return passage.start + first, passage.start + (after.end() if after else latest)

    def section(self, title: re.Pattern[str]) -> list[Passage]:
        """The passages under the first heading that matches, up to the next heading of its kind."""
        return next((body for _, body in self.sections(title)), [])

    def sections(self, title: re.Pattern[str]) -> Iterator[tuple[str, list[Passage]]]:
        """The first headings that match, each with what stands below it, up to the next of its kind."""
        found = 0
        for number, passage in enumerate(self.passages):
            if title.search(passage.text) and (is_heading(passage.text) or _is_short_title(passage.text)):
                body = _until_next(passage.text, self.passages[number + 1 :])
                if body:
                    yield passage.text, body
                found += 1
            if found == _MOST_SECTIONS:
                return


def is_heading(text: str) -> bool:
    """A short line that opens like a heading and does not end like a sentence."""
    if "\t" in text or not _HEADING.match(text):
        return False
    if _CHAPTER.match(text):
        text = text.rstrip(":：")
    return len(text) <= 60 and text[-1] not in "。；;，,.:："


def _is_short_title(text: str) -> bool:
    """A heading without a number, or one that opens a list and so ends in a colon."""
    return "\t" not in text and len(text) <= 30 and text[-1] not in "。；;，,."


def _until_next(title: str, passages: tuple[Passage, ...]) -> list[Passage]:
    body: list[Passage] = []
    for passage in passages:
        if is_heading(passage.text) and _rank(passage.text) in {_rank(title), "第#"}:
            break
        body.append(passage)
    return body


def _rank(heading: str) -> str:
    """The form of its number: 第#, #、, #.#; A for a heading without one."""
    number = re.match(
        r"第[一二三四五六七八九十\d]+|[（(]?[一二三四五六七八九十]{1,3}[、）)]|\d+(?:\.\d+)*|[A-Z]", heading
    )
    shape = re.sub(r"[一二三四五六七八九十]+|\d+", "#", number.group()) if number else ""
    return "A" if shape.isalpha() and shape != "第#" else shape


def _kept(document: Document) -> Iterator[Passage]:
    passages = lines(document)
    running = _running(passages, document.pages)
    shown: set[str] = set()
    in_contents = False
    for passage in passages:
        shape = _shape(passage.text)
        in_contents = bool(_CONTENTS_TITLE.match(passage.text)) or (
            in_contents and (shape in running or bool(_CONTENTS_LINE.match(passage.text)))
        )
        again = shape in running and (shape in shown or not re.search(r"[^\W\d_]", shape))
        if _DOTTED.search(passage.text) or in_contents or again:
            continue
        shown.add(shape)
        yield passage


def _running(passages: tuple[Passage, ...], count: int | None) -> set[str]:
    """Heads and feet: the same line, but for its numbers, on two pages in five, and on three at least.

    At the edge of the page, two are enough.
    """
    pages: defaultdict[str, set[int]] = defaultdict(set)
    edges: defaultdict[str, set[int]] = defaultdict(set)
    for before, passage, after in _with_neighbours(passages):
        if passage.page is not None and len(passage.text) < 100:
            pages[_shape(passage.text)].add(passage.page)
            if passage.page not in {before, after} or before != after:
                edges[_shape(passage.text)].add(passage.page)
    share = (count or 0) * 0.4
    often = {shape for shape, on in pages.items() if len(on) >= max(3, share)}
    return often | {shape for shape, on in edges.items() if len(on) >= max(2, share)}


def _with_neighbours(passages: tuple[Passage, ...]) -> Iterator[tuple[int | None, Passage, int | None]]:
    """Each passage, with the pages of the one before and the one after."""
    numbers = [None, *(passage.page for passage in passages), None]
    return zip(numbers, passages, numbers[2:], strict=False)


def _shape(text: str) -> str:
    return re.sub(r"\d+", "#", text)
