"""The efforts that a document gives: their numbers, the lines that only sum them up, and those too large."""

from __future__ import annotations

import pytest
from test_tender_handler import Desk as Stand
from test_tender_work import Json, splitted, table

from duly_apps.tender.split import split, workload_split
from duly_apps.tender.workload.engine import OfflineSplitter
from duly_apps.tender.workload.schema import totals


def efforts(items: list[Json]) -> list[tuple[str, float, float, str]]:
    """Title, low, high and basis of each."""
    return [(i["title"], i["estimate"]["low"], i["estimate"]["high"], i["basis"]) for i in items]


@pytest.mark.parametrize(
    ("said", "low", "high"),
    [
        *(("12000人天", 12_000, 12_000), ("1,200人天", 1_200, 1_200), ("1，200 人天", 1_200, 1_200)),
        *(("1,200-1,500 person-days", 1_200, 1_500), ("12000~15000人天", 12_000, 15_000)),
        *(("约15人天", 15, 15), ("1.5人月", 32.62, 32.62), ("3.5-4人天", 3.5, 4)),
    ],
)
async def test_a_number_is_read_from_its_first_digit(said: str, low: float, high: float) -> None:
    """With or without commas between its thousands, in a sentence as in a cell."""
    [line] = await splitted(f"1. 支持订单管理，工作量{said}")
    [row] = await splitted(table(f"功能名称\t工作量\n订单管理\t{said}"))
    assert efforts([line])[0][1:] == efforts([row])[0][1:] == (low, high, "stated")


@pytest.mark.parametrize(("cell", "days"), [("1,200", 1_200), ("12000", 12_000), ("5", 5)])
async def test_a_bare_number_has_the_unit_of_its_head(cell: str, days: float) -> None:
    """And is whole as well."""
    [row] = await splitted(table(f"功能名称\t工作量（人天）\n订单管理\t{cell}"))
    assert efforts([row]) == [("订单管理", days, days, "stated")]


@pytest.mark.parametrize("said", ["1.2.15人天", "1,2人天", "12.34567人天"])
async def test_the_end_of_something_else_is_no_effort(said: str) -> None:
    """What is no number is not believed in part."""
    [line] = await splitted(f"1. 支持订单管理 {said}")
    assert line["basis"] == "rule"


TOTALS = (
    "合计",
    "小计",
    "总 计",
    "共计",
    "Total",
    "Subtotal",
    "sub-total",
    "SUM",
    "Grand total",
    "合计（人天）",
)


@pytest.mark.parametrize("name", TOTALS)
async def test_a_row_that_sums_up_is_no_work(name: str) -> None:
    """Its label may stand in any column, and a line may say the same."""
    rows = f"编号\t功能名称\t工作量（人天）\n1\t订单管理\t120\n\t{name}\t120\n{name}\t共一项\t120"
    assert efforts(await splitted(table(rows))) == [("订单管理", 120, 120, "stated")]
    for line in (f"{name}：120人天", f"{name}: 120 person-days", f"2. {name} 约1,200人天，其中开发80人天"):
        assert efforts(await splitted(f"1. 订单管理：120人天\n{line}")) == [("订单管理", 120, 120, "stated")]


async def test_a_requirement_that_begins_like_a_sum_is_work() -> None:
    """The name alone, or with a number of days, is a sum; what is asked for is not."""
    items = await splitted("1. 合计栏支持自动计算\n2. 共计支持5张报表导出\n3. Total revenue reports")
    assert len(items) == 3


@pytest.mark.parametrize(
    "head", ["模块描述", "模块说明", "Module description", "Category details", "分类要求"]
)
async def test_a_description_is_no_modules_name(head: str) -> None:
    """However long it is; the column that has the name is found beside it."""
    long = "支持新增、修改、删除。" * 40
    result = await workload_split(Stand({}), text=f"功能名称\t{head}\t所属模块\n订单管理\t{long}\t交易")
    assert [(item["title"], item["module"]) for item in result["items"]] == [("订单管理", "交易")]
    [alone] = await splitted(table(f"功能名称\t{head}\n订单管理\t{long}"))
    assert alone["module"] is None


async def test_the_name_of_a_module_is_cut() -> None:
    """With an ellipsis, in a cell as in a heading."""
    name = "交易" * 100
    [row] = await splitted(table(f"功能名称\t模块\n订单管理\t{name}"))
    [line] = await splitted(f"模块：{name}\n1. 订单管理")
    assert row["module"] == line["module"] == f"{name[:119]}…"


async def test_an_effort_beyond_the_limit_is_told() -> None:
    """It does not end the split: the item is estimated, and says what it did not take."""
    rows = "功能名称\t工作量\n订单管理\t5000人月\n客户管理\t3人天"
    first, second = await splitted(table(rows))
    assert (first["basis"], second["basis"]) == ("rule", "stated")
    assert first["assumptions"][0] == "原文工作量合 108,750 人天，超过单项上限 100,000 人天，未采用，请核对。"
    [english] = await splitted("- The system shall manage orders: 5000 person-months")
    assert english["assumptions"][0].startswith("The document's effort, 108,750 person-days, is over")


async def test_a_sum_may_be_larger_than_an_items_days() -> None:
    """As large as all items together can be, of the roles and the longest chain too."""
    document = table("功能名称\t工作量\n" + "\n".join(f"订单管理{n}\t99,000人天" for n in range(400)))
    result = await split(Stand({}), document, "text", OfflineSplitter())
    assert result["totals"] == totals(result["items"])
    assert result["totals"]["high"] == 400 * 99_000
