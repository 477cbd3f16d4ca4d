"""Lines that no person writes: one costs no more than many short ones, and nothing of it is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from duly.documents import Document, from_text
from duly_apps.tender.lines import LONGEST, lines
from duly_apps.tender.offline import risks
from duly_apps.tender.offline.corpus import Corpus
from duly_apps.tender.offline.facts import budget
from duly_apps.tender.offline.fields import MOST_PLACES, labelled
from duly_apps.tender.offline.labels import LABELS
from duly_apps.tender.workload import reading

FOLDER = Path(__file__).parent


@pytest.mark.timeout(300)
def test_no_pattern_costs_the_square_of_a_line() -> None:
    """Each over repetitions of 40,000 characters; measured in processor time, elsewhere."""
    command = [sys.executable, str(FOLDER / "slow_patterns.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    told = json.loads(done.stdout)
    assert told["patterns"] > 120
    assert told["slow"] == []


@pytest.mark.parametrize(
    "text", ["." * 100_000 + "x", "total " * 50_000, "项目编号：A1。" * 9_999, "a\t" * 9_999]
)
def test_a_long_line_is_seen_in_pieces(text: str) -> None:
    """Of which none is longer than the bound, and which together are the line."""
    document = Document.of("text", [("前", None, 1), (text, None, 2), ("后", None, 3)])
    pieces = lines(document)
    assert max(len(piece.text) for piece in pieces) <= LONGEST
    assert "".join(piece.text for piece in pieces[1:-1]) == text
    assert all(document.quote(piece.start, piece.end) == piece.text for piece in pieces)
    assert {piece.paragraph for piece in pieces[1:-1]} == {2}


def test_the_rules_see_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an analysis as of a split."""
    document = from_text("项目预算 " * 20_000)
    assert all(len(passage.text) <= LONGEST for passage in Corpus(document).passages)
    seen: list[int] = []
    monkeypatch.setattr(reading, "_line", lambda passage, *_, **__: seen.append(len(passage.text)))
    reading.requirements(document)
    assert max(seen) <= LONGEST
    assert sum(seen) == len(document.text)


def test_what_stands_late_in_a_line_is_found() -> None:
    """Where it stands in the document."""
    text = "投标须知。" * 2_000 + "预算金额：人民币380万元。" + "投标须知。" * 2_000
    corpus = Corpus(from_text(text))
    assert any("预算金额：人民币380万元。" in passage.text for passage in corpus.passages)


def test_a_text_full_of_one_label_is_looked_at_so_often() -> None:
    """And no more, by each rule: what would be read there is read a thousand times."""
    corpus = Corpus(from_text("预算金额：" * 20_000))
    seen: list[str] = []
    assert labelled(corpus, "budget", LABELS["budget"], seen.append) is None
    assert len(seen) == MOST_PLACES


def test_what_stands_behind_many_labels_is_found() -> None:
    """A long tender names its budget some hundred times before it says how much."""
    [found, *_] = budget(Corpus(from_text("项目预算见下文。" * 500 + "\n预算金额：人民币380万元。")))
    assert found.normal == {"amount": 3_800_000, "currency": "CNY"}


def test_of_risks_no_more_sentences_are_cut_than_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are; those that a word turns round cost nothing."""
    corpus = Corpus(from_text("逾期的作废标处理。" * 2_000 + "不得废标" * 2_000))
    cut: list[int] = []
    sentence = corpus.sentence
    monkeypatch.setattr(corpus, "sentence", lambda p, *at: cut.append(at[0]) or sentence(p, *at))
    found = [finding for finding in risks.risks(corpus) if finding.key == "rejection"]
    assert len(found) == len(cut) == 200
