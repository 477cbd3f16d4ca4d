"""The offline analyser against the samples, of which every fact is known (samples/truth.json)."""

import asyncio
import json
from typing import Any

import pytest

from duly.documents import Document, read
from duly_apps.tender.offline.engine import OfflineAnalyser
from duly_apps.tender.samples import sample

TRUTH: dict[str, list[dict[str, Any]]] = json.loads(sample("truth.json").read_text("utf-8"))
FACTS = [
    pytest.param(name, fact, id=f"{name[:5]}-{fact['key']}-{number}")
    for name, facts in TRUTH.items()
    for number, fact in enumerate(facts)
]
TABS = ["project", "budget", "deadlines", "qualification", "scoring", "deliverables", "risks"]


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    """Each sample, read once."""
    return {name: read(sample(name).read_bytes(), name) for name in TRUTH}


@pytest.fixture(scope="module")
def results(documents: dict[str, Document]) -> dict[str, dict[str, Any]]:
    """The tabs of each sample, by key."""
    analyser = OfflineAnalyser()
    return {
        name: {key: asyncio.run(analyser.section(key, document)) for key in analyser.sections}
        for name, document in documents.items()
    }


def fits(item: dict[str, Any], fact: dict[str, Any]) -> bool:
    """Same key, same words or number, and a quote on the page or paragraph where the generator put it."""
    places = fact.get("pages") or fact["paragraphs"]
    place = item["page"] if "pages" in fact else item["paragraph"]
    same = all(item[name] == fact[name] for name in ("value", "normal", "label") if name in fact)
    return item["key"] == fact["key"] and same and place in places and fact["find"] in (item["quote"] or "")


@pytest.mark.parametrize(("name", "fact"), FACTS)
def test_every_known_fact_is_found(results: dict[str, Any], name: str, fact: dict[str, Any]) -> None:
    """Each fact of the sample is found once, with its value, its page and its words."""
    items = results[name][fact["tab"]]["items"]
    found = [item for item in items if fits(item, fact)]
    assert len(found) == 1, [item for item in items if item["key"] == fact["key"]]


@pytest.mark.parametrize("name", TRUTH)
def test_nothing_else_is_found(results: dict[str, Any], name: str) -> None:
    """Every finding is one of the known facts: nothing is invented, and the contents page adds nothing."""
    for key, tab in results[name].items():
        facts = [fact for fact in TRUTH[name] if fact["tab"] == key]
        extra = [i for i in tab["items"] if i["value"] is not None and not any(fits(i, f) for f in facts)]
        assert extra == []


@pytest.mark.parametrize("name", TRUTH)
def test_every_quote_is_verbatim(results: dict[str, Any], documents: dict[str, Document], name: str) -> None:
    """The quote is the text from start to end, and page and paragraph are those of its first character."""
    for item in (item for tab in results[name].values() for item in tab["items"] if item["quote"]):
        place = documents[name].place(item["start"])
        assert item["quote"] == documents[name].text[item["start"] : item["end"]]
        assert (item["page"], item["paragraph"]) == (place.page, place.paragraph)


def test_what_the_english_sample_lacks_is_null(results: dict[str, Any]) -> None:
    """The English tender names no agency and no dates of sale: both are listed with the value null."""
    tabs = results["water-meters-en.docx"]
    absent = [i["key"] for tab in tabs.values() for i in tab["items"] if i["value"] is None]
    assert absent == ["agency", "documents"]


@pytest.mark.parametrize(
    ("name", "first"), [("smart-campus-zh.pdf", "项目概况"), ("water-meters-en.docx", "Project")]
)
def test_tabs_come_in_order_and_in_the_language(results: dict[str, Any], name: str, first: str) -> None:
    """Seven tabs in their fixed order, titled in the language of the document."""
    assert [tab["key"] for tab in results[name].values()] == TABS
    assert results[name]["project"]["title"] == first


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "smart-campus-zh.pdf",
            ["江州市第一中学智慧校园建设项目", "人民币380万元", "2025年11月20日9时30分", "合计100分"],
        ),
        (
            "water-meters-en.docx",
            ["Smart Water Meters", "USD 1.2 million", "20 November 2025 at 10:00", "100 points"],
        ),
    ],
)
def test_the_summary_is_filled_from_findings(
    results: dict[str, Any], documents: dict[str, Document], name: str, words: list[str]
) -> None:
    """Two to five sentences with the main facts, in the document's own words."""
    summary = asyncio.run(OfflineAnalyser().summary(documents[name], list(results[name].values())))
    assert [word for word in words if word not in summary] == []
    assert 2 <= summary.count("。" if "zh" in name else ". ") <= 5


def test_a_sample_that_is_not_there_is_named() -> None:
    """Asking for an unknown sample says which."""
    with pytest.raises(FileNotFoundError, match="moon"):
        sample("moon.pdf")
