"""From pieces of text with positions to paragraphs and table rows, in the order the file draws them.

Pieces on one baseline make a line; lines below each other a block; a block that starts to the right of the
one before, and not below it, is the next cell of the same row. A row becomes one string, its cells joined by
tabs; other blocks are cut into paragraphs, their wrapped lines joined, with no space between ideographs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

_NEW_PARAGRAPH = re.compile(
    r"[★▲■●•◆※☆]|第[一二三四五六七八九十百\d]+[章节条部]|[（(]?[一二三四五六七八九十]{1,3}[、）)．.]"
    r"|[（(]\d{1,3}[）)]|\d{1,2}(?:\.\d{1,2}){1,3}(?![\d%])|\d{1,3}[、．)）.](?!\d)"
    r"|[①-⑳•●▪]|[-–—] |[(（]?[a-zA-Z][.)）] |[A-Z][A-Za-z]*(?: [A-Za-z]+){0,4}: ?\S"
)
# The gap that typesetting leaves between ideographs and Latin letters; the number of a paragraph keeps its.
_LOOSE = re.compile(
    r"(?<=[一-鿿，。；：、]) (?=[0-9A-Za-z])"
    r"|(?<=[0-9A-Za-z%]) (?=[一-鿿，。；：、])"
)
_NUMBER = re.compile(r"[★▲]?\s*\d+\.[\d.]*\s")
_NEVER_FIRST = tuple("，。、；：！？）》”％")  # Chinese typesetting starts no line with these
_LONG = 8  # lines: cells side by side are seldom all as long as this
_SENTENCE_END = "。！？；：.!?;:"


@dataclass(slots=True, kw_only=True)
class Piece:
    """A run of text as drawn: start position in points from the lower left, font size in points."""

    text: str
    x: float
    y: float
    size: float

    @property
    def right(self) -> float:
        """Where it ends, estimated: the widths of the font are not known here."""
        return self.x + self.size * sum(map(_width, self.text))

    @property
    def doubt(self) -> float:
        """By how much `right` may be wrong: an ideograph is one em wide, a Latin letter about half of one."""
        return 0.12 * self.size * sum(_width(char) for char in self.text if char < "\u2e80")


@dataclass(slots=True)
class _Block:
    lines: list[Piece] = field(default_factory=list)

    def takes(self, line: Piece) -> bool:
        last = self.lines[-1]
        below = 0 < last.y - line.y <= 2.4 * line.size and abs(last.size - line.size) < 0.15 * line.size
        return below and abs(last.x - line.x) <= 2.6 * line.size  # an indent in or out is no new block


def passages(pieces: list[Piece]) -> list[str]:
    """Paragraphs and table rows of one page, in drawing order."""
    rows = _rows(_blocks(_lines(pieces)))
    running = [row[0].lines for row in rows if len(row) == 1]
    edges, leading = _columns([line for lines in running for line in lines]), _leading(running)
    found: list[str] = []
    for row in rows:
        if len(row) > 1:
            found.append("\t".join(_joined([line.text for line in block.lines]) for block in row))
        else:
            found.extend(_paragraphs(row[0].lines, edges(row[0].lines[0].x), leading))
    return [text for text in found if text.strip()]


def _lines(pieces: list[Piece]) -> list[Piece]:
    lines: list[Piece] = []
    before = Piece(text="", x=0.0, y=0.0, size=0.0)
    for piece in pieces:
        last = lines[-1] if lines else before
        if lines and (piece.x, piece.y) == (before.x, before.y):
            last.text += piece.text  # only the font changed: such a piece comes with its line's position
        elif lines and _is_shadow(before, piece):
            continue
        elif lines and _on_line(last, before, piece):
            _add(last, piece)
        elif not piece.text.strip():
            continue
        else:
            lines.append(Piece(text=piece.text, x=piece.x, y=piece.y, size=piece.size))
        before = piece
    return lines


def _is_shadow(before: Piece, piece: Piece) -> bool:
    """The same words again, a hair's breadth away: bold type without a bold font."""
    near = abs(piece.x - before.x) + abs(piece.y - before.y) < 0.15 * piece.size
    return near and piece.text == before.text


def _on_line(last: Piece, before: Piece, piece: Piece) -> bool:
    if abs(last.y - piece.y) >= 0.3 * last.size:
        return False
    if piece.x > last.x:
        return piece.x - max(last.right, before.right) < 0.6 * last.size + last.doubt
    return bool(piece.text.strip()) and abs(last.x - piece.right) < last.size


def _add(line: Piece, piece: Piece) -> None:
    """Signs that the line's font lacks, such as ★, are often drawn after the line they stand in."""
    if piece.x < line.x:
        line.text, line.x = piece.text + line.text.lstrip(), piece.x
    elif piece.x < line.right - line.doubt - line.size and len(piece.text) == 1:
        head = max(range(len(line.text)), key=lambda n: -abs(line.x + _span(line, n) - piece.x))
        gap = line.text.find(" ", max(0, head - 2), head + 3)
        at, rest = (gap, gap + 1) if gap >= 0 else (head, head)
        line.text = line.text[:at] + piece.text + line.text[rest:]
    else:
        wide = piece.x - line.right > 0.2 * line.size
        line.text += (" " if wide and _needs_space(line.text, piece.text) else "") + piece.text


def _span(line: Piece, count: int) -> float:
    return line.size * sum(map(_width, line.text[:count]))


def _blocks(lines: list[Piece]) -> list[_Block]:
    blocks: list[_Block] = []
    for line in lines:
        if blocks and blocks[-1].takes(line):
            blocks[-1].lines.append(line)
        else:
            blocks.append(_Block([line]))
    return blocks


def _rows(blocks: list[_Block]) -> list[list[_Block]]:
    rows: list[list[_Block]] = []
    for block in blocks:
        if not rows or not _beside(rows[-1][-1], block) or _is_next_column(rows, block):
            rows.append([block])
            continue
        if len(rows[-1]) == 1:
            rows[-1:] = _without_text_above(rows[-1][0])
        rows[-1].append(block)
    return rows


def _without_text_above(first: _Block) -> list[list[_Block]]:
    """A first cell may share its block with the paragraph above; a step wider than in a cell divides them."""
    lines = first.lines
    cuts = [n for n in range(1, len(lines)) if lines[n - 1].y - lines[n].y > 1.7 * lines[n].size]
    if not cuts:
        return [[first]]
    return [[_Block(lines[: cuts[-1]])], [_Block(lines[cuts[-1] :])]]


def _beside(left: _Block, block: _Block) -> bool:
    size = block.lines[0].size
    return (
        block.lines[0].x > left.lines[0].x + size
        and block.lines[0].y >= left.lines[-1].y - 0.3 * size
        and block.lines[-1].y <= left.lines[0].y + 0.3 * size
    )


def _is_next_column(rows: list[list[_Block]], block: _Block) -> bool:
    """A column of text beside another, and no cell: it begins above what came before, or both are long."""
    if len(rows[-1]) > 1:
        return False
    if len(rows) > 1 and block.lines[0].y > rows[-2][-1].lines[-1].y:
        return rows[-2][-1].lines[0].x < block.lines[0].x
    return min(len(block.lines), len(rows[-1][0].lines)) >= _LONG


def _columns(lines: list[Piece]) -> Callable[[float], tuple[float, float]]:
    """The edges of the running text that begins at x: of its column, where the page is set in two."""
    left, right = _edges(lines)
    middle = (left + right) / 2
    sides = [[line for line in lines if (line.x > middle) is second] for second in (False, True)]
    across = sum(line.right - line.doubt > middle + line.size for line in sides[0])
    if min(map(len, sides)) < 5 or across * 5 > len(sides[0]):
        return lambda _: (left, right)
    both = [_edges([line for line in side if line.right < middle or line.x > middle]) for side in sides]
    return lambda x: both[x > middle]


def _edges(lines: list[Piece]) -> tuple[float, float]:
    """Left and right edge of the running text."""
    left = min((line.x for line in lines), default=0.0)
    return left, max((line.right - line.doubt for line in lines), default=0.0)


def _leading(blocks: list[list[Piece]]) -> float:
    """The smallest step from line to line, in sizes of the font; a wider one divides paragraphs."""
    pairs = (pair for lines in blocks for pair in pairwise(lines))
    return min(((above.y - line.y) / line.size for above, line in pairs), default=0.0)


def _paragraphs(lines: list[Piece], edges: tuple[float, float], leading: float) -> list[str]:
    groups = [[lines[0]]]
    for line in lines[1:]:
        last = groups[-1][-1]
        apart = last.y - line.y > 1.2 * leading * line.size
        if not apart and _continues(last, line, edges):
            groups[-1].append(line)
        else:
            groups.append([line])
    return [_joined([line.text for line in group]) for group in groups]


def _continues(last: Piece, line: Piece, edges: tuple[float, float]) -> bool:
    left, right = edges
    other_type = abs(last.size - line.size) > 0.06 * line.size
    if other_type or _NEW_PARAGRAPH.match(line.text) or line.x - last.x > 0.9 * line.size:
        return False
    if line.text[:1] > "\u2e80" and 1.5 * line.size <= line.x - left <= 3 * line.size:
        return False  # a Chinese paragraph opens two characters in
    first_word = re.match(r"[!-~]*", line.text)
    if line.text[:1] in _NEVER_FIRST:
        return True
    room = max(3.2 * last.size, (len(first_word.group()) if first_word else 0) * 0.6 * last.size)
    ends_early = (
        last.text.rstrip()[-1:] in _SENTENCE_END and last.right + last.doubt < right - 0.5 * last.size
    )
    return last.right + last.doubt > right - room and not ends_early


def _joined(lines: list[str]) -> str:
    text = lines[0].strip()
    for line in (line.strip() for line in lines[1:]):
        if re.search(r"[a-z]-$", text) and line[:1].islower():
            text = text[:-1] + line
        else:
            text += (" " if _needs_space(text, line) else "") + line
    number = _NUMBER.match(text)
    at = number.end() if number else 0
    return text[:at] + _LOOSE.sub("", text[at:])


def _needs_space(left: str, right: str) -> bool:
    """Between two Latin words, not beside an ideograph; a long number broken over two lines stays one."""
    a, b = left[-1:], right[:1]
    if not (a.isascii() and b.isascii()) or a.isspace() or b.isspace():
        return False
    return bool(a and b) and not (a in "(/-" or b in ").,;:%/")


def _width(char: str) -> float:
    if ord(char) > 0x2E7F:
        return 1.0
    if char.isupper() or char in "mwMW@%":
        return 0.68
    return 0.3 if char in " .,;:'il|!" else 0.52
