"""How good is the offline engine? Generates tenders, reads them as the app does, and scores each field.

`eval_tender.py [--development] [--seeds N] [--misses] [--keep DIR]` prints a line per field and at the end
one JSON line of all findings together. It exits 1 below the floor. The held-out layouts were written before
the rules were improved on the development layouts, and no rule was changed by what it missed there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from duly.documents import DocumentError, read
from duly_apps.tender.offline.engine import OfflineAnalyser
from tender_files import file_of
from tender_layouts import Fact, Tender, layouts, tender

FLOOR = 0.80  # F1 over all fields
FIRST_SEED = 20_260_101
SENTENCES = {"starred", "rejection", "damages", "forfeit", "termination"}
DAYS = {"day": 1, "working_day": 1, "week": 7, "month": 30, "year": 360}
_NOISE = re.compile(r"[\W_]+")


@dataclass(slots=True)
class Score:
    """Found and true, found and not true, true and not found."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def same(item: dict[str, Any], fact: Fact) -> bool:
    """Whether a finding says the fact: its value, its words, or its sentence."""
    if item["key"] != fact.key:
        return False
    if fact.key in SENTENCES:
        return _overlap(item["quote"], fact.words)
    if fact.label:
        value = item["normal"].get("points", item["normal"].get("quantity"))
        number = re.match(r"\d+", str(value).replace(",", ""))
        return _plain(item["label"]) == _plain(fact.label) and bool(number and int(number[0]) == fact.normal)
    if fact.normal is None:
        return _plain(item["value"]) == _plain(fact.words)
    return bool(_comparable(item["normal"]) == _comparable(fact.normal))


def _plain(text: str) -> str:
    return _NOISE.sub("", text).casefold()


def _overlap(quote: str, sentence: str) -> bool:
    a, b = _plain(quote), _plain(sentence)
    return (a in b and len(a) > 0.5 * len(b)) or (b in a and len(b) > 0.5 * len(a))


def _comparable(normal: Any) -> Any:
    """Moments to the minute, without the zone; durations in days."""
    if isinstance(normal, str):
        return normal if "/" in normal else normal[:16]
    if isinstance(normal, dict) and "unit" in normal:
        return normal["number"] * DAYS[normal["unit"]]
    return normal


def findings(made: Tender) -> list[dict[str, Any]]:
    """What the app finds in the file: through the reader, in its own process, and every section."""
    name, data = file_of(made)
    try:
        document = read(data, name)
    except DocumentError as error:
        print(f"{name}: {error.code} {error.detail}")
        return []
    analyser = OfflineAnalyser()
    tabs = [asyncio.run(analyser.section(key, document)) for key in analyser.sections]
    items = [(tab["key"], item) for tab in tabs for item in tab["items"] if item["value"] is not None]
    # The total is a sum of ours, and the deposit stands in two tabs.
    return [i for tab, i in items if i["key"] != "total" and (tab, i["key"]) != ("risks", "bid_bond")]


def score(made: Tender, scores: defaultdict[str, Score]) -> None:
    """Adds one tender to the scores; each fact is found once, anything else found is wrong."""
    left = list(made.truth)
    for item in findings(made):
        hit = next((fact for fact in left if same(item, fact)), None)
        if hit:
            left.remove(hit)
            scores[item["key"]].right += 1
        else:
            scores[item["key"]].wrong += 1
            told = item["normal"] if item["normal"] is not None else item["value"]
            scores[item["key"]].notes.append(
                f"wrong in {made.name}: {item['label']} {told} <- {item['quote'][:90]!r}"
            )
    for fact in left:
        scores[fact.key].missed += 1
        scores[fact.key].notes.append(f"missed in {made.name}: {fact.label} {fact.normal or fact.words}")


def report(scores: dict[str, Score], documents: int, *, misses: bool) -> float:
    """A line per field, then the sum; F1."""
    total = Score()
    for key, one in sorted(scores.items()):
        print(f"{key:17} precision {one.precision:.2f}  recall {one.recall:.2f}  of {one.right + one.missed}")
        if misses:
            print(*(f"    {note}" for note in one.notes), sep="\n")
        total.right, total.wrong = total.right + one.right, total.wrong + one.wrong
        total.missed += one.missed
    figures = {name: round(getattr(total, name), 3) for name in ("precision", "recall", "f1")}
    print(json.dumps({"documents": documents} | figures))
    return total.f1


def main() -> None:
    """Scores one group of layouts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--development", action="store_true", help="the layouts on which the rules were improved"
    )
    parser.add_argument("--seeds", type=int, default=3, help="tenders of each layout")
    parser.add_argument("--misses", action="store_true", help="print each wrong and each missed finding")
    parser.add_argument("--keep", type=Path, help="a folder to write the tenders to")
    options = parser.parse_args()
    scores: defaultdict[str, Score] = defaultdict(Score)
    first = 0 if options.development else FIRST_SEED
    made = [
        tender(layout, first + n)
        for layout in layouts("development" if options.development else "held_out")
        for n in range(options.seeds)
    ]
    for one in made:
        if options.keep:
            name, data = file_of(one)
            (options.keep / name).write_bytes(data)
        score(one, scores)
    if report(scores, len(made), misses=options.misses) < FLOOR:
        sys.exit(f"below the floor of {FLOOR}")


if __name__ == "__main__":
    main()
