"""The generator and the score: the same tender for the same seed, and a truth that stands in its file."""

import dataclasses
import re
from collections import defaultdict
from pathlib import Path

import pytest

from duly.documents import read
from eval_tender import Score, findings, same, score
from tender_facts import in_words
from tender_files import file_of
from tender_layouts import Fact, layouts, tender

ALL = [pytest.param(path, id=path.stem) for group in ("held_out", "development") for path in layouts(group)]
SHEETS = next(path for path in layouts("development") if path.stem == "zh_purchase_sheets")


@pytest.mark.parametrize("layout", ALL)
def test_the_truth_stands_in_the_tender(layout: Path) -> None:
    """Each layout fills, gives the same twice, and what is true in words is written in it."""
    made, again = tender(layout, 3), tender(layout, 3)
    text = re.sub(r"\s", "", str(made.blocks))
    assert made == again
    assert made != dataclasses.replace(tender(layout, 4), name=made.name)
    assert [fact for fact in made.truth if re.sub(r"\s", "", fact.words or fact.label) not in text] == []
    assert sum(fact.normal for fact in made.truth if fact.key == "criterion") in {0, 100}


def test_thirty_are_held_out() -> None:
    """Ten layouts, three seeds each: both languages, every format."""
    forms = {tender(path, 1).form for path in layouts("held_out")}
    assert (len(layouts("held_out")), forms) == (10, {"docx", "xlsx", "pdf", "columns"})


def test_a_workbook_is_read_and_scored() -> None:
    """Through the app's reader to the score: nearly everything of a plain workbook is found."""
    scores: defaultdict[str, Score] = defaultdict(Score)
    score(tender(SHEETS, 5), scores)
    right, wrong = sum(s.right for s in scores.values()), sum(s.wrong for s in scores.values())
    assert right >= 20 * max(wrong, 1)
    assert sum(one.missed for one in scores.values()) <= 2


def test_a_finding_that_is_not_true_costs_precision() -> None:
    """What the engine finds and the tender does not say is counted as wrong, and its fact as missed."""
    made = tender(SHEETS, 5)
    honest = {fact.key: fact for fact in made.truth}
    lied = dataclasses.replace(honest["number"], words="X-1")
    facts = tuple(lied if fact.key == "number" else fact for fact in made.truth)
    scores: defaultdict[str, Score] = defaultdict(Score)
    score(dataclasses.replace(made, truth=facts), scores)
    assert (scores["number"].right, scores["number"].wrong, scores["number"].missed) == (0, 1, 1)


def test_same_is_strict() -> None:
    """Another amount, another label or half a sentence is not the same."""
    money = {"key": "budget", "normal": {"amount": 5, "currency": "CNY"}, "value": "5", "quote": "5"}
    assert same(money, Fact(key="budget", normal={"amount": 5, "currency": "CNY"}))
    assert not same(money, Fact(key="budget", normal={"amount": 50, "currency": "CNY"}))
    sentence = {"key": "damages", "normal": None, "value": "", "quote": "每日支付"}
    assert not same(sentence, Fact(key="damages", words="乙方逾期交货的，每日支付违约金。"))


def test_amounts_in_words() -> None:
    """As on a cheque."""
    words = [in_words(amount) for amount in (3_800_000, 10_000, 2_050_300, 10_500)]
    assert words == ["叁佰捌拾万", "壹万", "贰佰零伍万零叁佰", "壹万零伍佰"]


def test_a_pdf_in_two_columns_keeps_its_lines() -> None:
    """Each line of a two-column notice is a paragraph of its own, and none runs into its neighbour."""
    layout = next(path for path in layouts("development") if path.stem == "en_council_tender")
    document = read(*reversed(file_of(tender(layout, 5))))
    labels = [p.text.split(":")[0] for p in document.passages if ": " in p.text and "\t" not in p.text]
    assert {"Employer", "Ref", "Location", "Payment"} <= set(labels)
    assert findings(tender(layout, 5))
