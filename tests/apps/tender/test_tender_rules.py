"""The rules one by one, each on the few lines that it is about."""

import asyncio
from typing import Any

import pytest

from duly.documents import from_text
from duly_apps.tender.offline.engine import OfflineAnalyser


def found(section: str, key: str, *lines: str) -> list[Any]:
    """Normal values, or else values, of what a section finds under this key."""
    tab = asyncio.run(OfflineAnalyser().section(section, from_text("\n".join(lines))))
    items = [item for item in tab["items"] if item["key"] == key and item["value"] is not None]
    return [item["normal"] if item["normal"] is not None else item["value"] for item in items]


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("RFP No. 2026-114", "2026-114"),
        ("Contract Identification No.: WM/2026/183", "WM/2026/183"),
        ("Reference number\tICB-G-7", "ICB-G-7"),
        ("询价编号：YX[2026]12号", "YX[2026]12号"),
        ("编号\t设备名称", None),
    ],
)
def test_a_number_needs_no_colon_but_a_digit(line: str, number: str | None) -> None:
    """The word after its label, if it has a digit; the head of a column is none."""
    assert found("project", "number", line) == ([number] if number else [])


@pytest.mark.parametrize(
    ("lines", "buyer"),
    [
        (["1.采购人信息", "名 称：东平市教育局", "地 址：府前街1号"], "东平市教育局"),
        (["招标人\t名称：东平市教育局 联系人：陈工"], "东平市教育局"),
        (["中诚招标公司受东平市教育局委托，进行招标。"], "东平市教育局"),
        (["The City of Westmere invites sealed bids for road works."], "City of Westmere"),
        (["投标文件由投标人编制。"], None),
    ],
)
def test_the_buyer_is_named_in_many_ways(lines: list[str], buyer: str | None) -> None:
    """In a block of its own, behind 名称, before 委托, or as who invites."""
    assert found("project", "purchaser", *lines) == ([buyer] if buyer else [])


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("请于2026年3月5日上午9点半前将响应文件送至采购办。", "2026-03-05T09:30:00"),
        ("Tenders close at 10:30 hours on 22 February 2026.", "2026-02-22T10:30:00"),
        (
            "Proposals must be received no later than 4:00 PM Central Time on March 10, 2026.",
            "2026-03-10T16:00:00",
        ),
        ("Bids are due by March 10, 2026 at 2:00 PM", "2026-03-10T14:00:00"),
        ("请于2026年3月5日前缴纳保证金。", None),
    ],
)
def test_a_deadline_is_said_in_many_ways(line: str, moment: str | None) -> None:
    """Before which files are handed in, with the time before or after the date."""
    assert found("deadlines", "bid_deadline", line) == ([moment] if moment else [])


@pytest.mark.parametrize(("last", "points"), [(30, [70, 30]), (20, [])])
def test_a_list_of_points_is_a_scale_if_it_makes_100(last: int, points: list[int]) -> None:
    """Without a title to go by, only the sum tells criteria from other numbers."""
    lines = ["Price - 70%", f"Technical approach - {last}%", "Other things follow here."]
    assert [one["points"] for one in found("scoring", "criterion", *lines)] == points


@pytest.mark.parametrize(
    ("line", "share"),
    [
        ("履约保证金：中标价的5%", 5.0),
        ("须交纳合同价款百分之十的履约保证金。", 10.0),
        ("A Performance Security of 8 percent of the Contract Price shall be provided.", 8.0),
    ],
)
def test_a_share_is_said_in_many_ways(line: str, share: float) -> None:
    """In digits or words, before or after what it is a share for."""
    assert found("budget", "performance_bond", line) == [{"percent": share}]


def test_a_list_under_a_title_without_a_number() -> None:
    """Short items without a full stop are items, in any numbering, and the list ends with its numbers."""
    lines = [
        "投标人资格要求",
        "1. 具有独立法人资格",
        "（3）2023年以来有业绩",
        "a) 信誉良好",
        "其他说明如下",
        "2. 交货要求",
    ]
    items = ["具有独立法人资格", "2023年以来有业绩", "信誉良好"]
    assert found("qualification", "requirement", *lines) == items


@pytest.mark.parametrize("line", ["投标人资格要求", "Quality: 1 points", "a: 0%"])
def test_a_document_of_one_line_costs_its_length(line: str) -> None:
    """Thirty thousand headings or criteria are passed over in a moment, not in their number squared."""
    document = from_text("\n".join([line] * 30_000))
    for section in ("qualification", "scoring"):
        asyncio.run(OfflineAnalyser().section(section, document))
