"""From a layout and a seed to the parts of a tender, and to what is true of it.

A layout is a text file: `% zh docx` names language and file format (and `opening=bid_deadline` equal facts),
`#` a chapter, `##` a heading, `| … |` a row, `@criteria …` a line for each criterion (requirement, item),
`[rejection] …` a line that an analyser must find as such. `{budget.wan}` is a fact in one of its wordings
(tender_facts); facts that a layout does not use are not true.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tender_facts import CHINESE, draw

HERE = Path(__file__).parent / "tenders"
LISTS = {"requirements": "requirement", "criteria": "criterion", "items": "item"}
Block = tuple[str, Any]  # ("chapter" | "heading" | "text", str) or ("table", rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What must be found: a key, and a normal value, the words themselves, or a label with its number."""

    key: str
    normal: Any = None
    words: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tender:
    """One generated tender."""

    name: str
    form: str
    blocks: tuple[Block, ...]
    truth: tuple[Fact, ...]


class _Words(string.Formatter):
    """Fills a line, and remembers the facts that it used."""

    def __init__(self) -> None:
        super().__init__()
        self.used: list[str] = []

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Any) -> Any:
        self.used.append(field_name.split(".", maxsplit=1)[0])
        return super().get_field(field_name, args, kwargs)


def layouts(group: str) -> list[Path]:
    """The layouts of `held_out` or `development`."""
    return sorted((HERE / group).glob("*.txt"))


def tender(layout: Path, seed: int) -> Tender:
    """The tender of this layout and seed; the same each time."""
    first, *lines = layout.read_text("utf-8").splitlines()
    _, language, form, *equal = first.split()
    facts, words = draw(language, seed), _Words()
    for key, other in (pair.split("=") for pair in equal):  # a layout that says the two are one
        facts[key] = facts[other]
        words.used.append(key)
    if ".gbp}" in "".join(lines):
        facts |= {
            key: type(facts[key])(facts[key].amount, "GBP") for key in ("budget", "ceiling", "bid_bond")
        }
    filled, truth = list[str](), list[Fact]()
    for line in lines:
        keys, plain = _marks(line)
        for text, more in _lines(plain, facts, words):
            filled.append(text)
            truth += [*more, *(Fact(key=key, words=text) for key in keys)]
    used = [key for key in dict.fromkeys(words.used) if key in facts and key not in LISTS]
    truth += [_fact(key, facts[key]) for key in used]
    return Tender(
        name=f"{layout.stem}-{seed}.{form}", form=form, blocks=tuple(_blocks(filled)), truth=tuple(truth)
    )


def _marks(line: str) -> tuple[list[str], str]:
    if not line.startswith("["):
        return [], line
    keys, text = line[1:].split("] ", 1)
    return keys.split(","), text


def _lines(line: str, facts: dict[str, Any], words: _Words) -> Iterator[tuple[str, list[Fact]]]:
    if not line.startswith("@"):
        count = len(facts["requirements"])
        after = {"cnext": CHINESE[count], "lnext": "abcdefghijkl"[count]}
        yield words.format(line, **facts, **after), []
        return
    kind, pattern = line[1:].split(" ", 1)
    for number, one in enumerate(facts[kind]):
        values = {"n": number + 1, "cn": CHINESE[number], "letter": "abcdefghijkl"[number]}
        values |= one if isinstance(one, dict) else {"text": one}
        yield pattern.format(**values), [_listed(kind, one)]


def _listed(kind: str, one: Any) -> Fact:
    if kind == "requirements":
        return Fact(key="requirement", words=one)
    number = one["points"] if kind == "criteria" else int(one["number"])
    return Fact(key=LISTS[kind], label=one["name"], normal=number)


def _fact(key: str, value: Any) -> Fact:
    return Fact(key=key, words=value) if isinstance(value, str) else Fact(key=key, normal=value.truth())


def _blocks(lines: list[str]) -> Iterator[Block]:
    rows: list[list[str]] = []
    for line in [*lines, ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
            continue
        if rows:
            yield "table", rows
            rows = []
        if line:
            kind = {"#": "chapter", "##": "heading"}.get(line.split(" ")[0], "text")
            yield kind, line if kind == "text" else line.split(" ", 1)[1]
