"""Small texts, each with one trap: what looks like a fact and is none, or is another one."""

import asyncio
from typing import Any

import pytest

from duly.documents import Document, from_text
from duly_apps.tender.offline.engine import OfflineAnalyser


def analyse(text: str | Document, tab: str, key: str) -> list[dict[str, Any]]:
    """The items of one key."""
    document = from_text(text) if isinstance(text, str) else text
    items = asyncio.run(OfflineAnalyser().section(tab, document))["items"]
    return [item for item in items if item["key"] == key]


def one(text: str | Document, tab: str, key: str) -> Any:
    """What a machine gets of the only item: the normal form, else the words."""
    (item,) = analyse(text, tab, key)
    return item["value"] if item["normal"] is None else item["normal"]


def yuan(amount: float) -> dict[str, Any]:
    return {"amount": amount, "currency": "CNY"}


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("预算金额：人民币380万元", 3_800_000),
        ("预算金额：￥3,800,000.00", 3_800_000),
        ("预算金额：¥3,800,000.50元", 3_800_000.5),
        ("采购预算：叁佰捌拾万元整", 3_800_000),
        ("本项目预算金额为三百八十万元。", 3_800_000),
        ("预算金额（万元）：380", 3_800_000),
        ("预算金额（人民币）：380.5万元", 3_805_000),
        ("预算金额：人民币（大写）壹亿贰仟零叁万肆仟伍佰元整（￥120034500.00）", 120_034_500),
        ("项目预算总金额：1.2亿元", 120_000_000),
        ("預算金額：新臺幣3,800,000元", None),
    ],
)
def test_amounts_are_normalised(text: str, amount: float | None) -> None:
    """Digits, 万元, capital numerals and units in the label come to one number of yuan."""
    assert one(text, "budget", "budget") == (
        yuan(amount) if amount else {"amount": 3_800_000, "currency": "TWD"}
    )


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("The budget is USD 1.2 million.", 1_200_000, "USD"),
        ("Estimated budget: $950,000", 950_000, "USD"),
        ("Budget: EUR 75 thousand", 75_000, "EUR"),
        ("Estimated value: £2.5m", 2_500_000, "GBP"),
    ],
)
def test_english_amounts_are_normalised(text: str, amount: float, currency: str) -> None:
    """Million, thousand and signs come to a number and an ISO 4217 code."""
    assert one(text, "budget", "budget") == {"amount": amount, "currency": currency}


@pytest.mark.parametrize(
    "text",
    [
        "预算金额是指财政部门批复的项目采购预算，投标人不得超出。",
        "预算金额详见附件，最高限价365万元。",
        "项目预算由采购人另行公布。投标人注册资本不低于500万元。",
        "The budget will be announced later. The turnover shall be USD 3 million.",
        "预算编制软件的采购数量为12套",
    ],
)
def test_a_budget_without_an_amount_is_null(text: str) -> None:
    """The word alone, or the amount of something else, is no budget."""
    assert one(text, "budget", "budget") is None


def test_amounts_go_to_their_own_names() -> None:
    """Budget, ceiling and bond in one sentence are not mixed up."""
    text = "预算金额380万元，最高限价365万元，投标保证金3.6万元，履约保证金为合同金额的5%。"
    found = [one(text, "budget", key) for key in ("budget", "ceiling", "bid_bond", "performance_bond")]
    assert found == [yuan(3_800_000), yuan(3_650_000), yuan(36_000), {"percent": 5.0}]


def test_a_column_head_gives_the_unit() -> None:
    """A number in a column headed 预算金额（万元） is that many times ten thousand yuan."""
    table = "包号\t采购内容\t预算金额（万元）\t最高限价（万元）\n1\t服务器\t380\t365.5"
    assert one(table, "budget", "budget") == yuan(3_800_000)
    assert one(table, "budget", "ceiling") == yuan(3_655_000)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("投标截止时间：2025年11月20日9时30分（北京时间）", "2025-11-20T09:30:00+08:00"),
        ("投标截止时间：2025年11月20日下午2:30", "2025-11-20T14:30:00"),
        ("投标截止时间：2025 年 11 月 20 日 上午 9 点半", "2025-11-20T09:30:00"),
        ("递交投标文件的截止时间为2025-11-20 09:30", "2025-11-20T09:30:00"),
        ("提交投标文件截止时间：2025年11月20日24时", "2025-11-21T00:00:00"),
        ("投标截止时间和开标时间：2025年11月20日", "2025-11-20"),
        ("Deadline for submission of bids: 20 November 2025 at 10:00", "2025-11-20T10:00:00"),
        ("Bids must be received no later than November 20th, 2025, 2:30 p.m.", "2025-11-20T14:30:00"),
        ("Tender deadline: 2025-11-20 10:00 UTC", "2025-11-20T10:00:00Z"),
    ],
)
def test_deadlines_are_iso_8601(text: str, iso: str) -> None:
    """Chinese, English and numeric dates come to ISO 8601, with a zone only where one is named."""
    assert one(text, "deadlines", "bid_deadline") == iso


@pytest.mark.parametrize(
    "text",
    [
        "投标截止时间按照《政府采购货物和服务招标投标管理办法》（2017年10月1日起施行）的规定另行通知。",
        "投标截止时间见招标公告。公告发布日期：2025年10月29日",
        "依据《中华人民共和国政府采购法》（2014年8月31日修正）组织实施。",
        "投标截止时间：2025年13月40日",
        "The submission deadline is set under the Procurement Act of 12 March 2019.",
    ],
)
def test_a_date_of_something_else_is_no_deadline(text: str) -> None:
    """The date of a law, of another sentence, or of no calendar is not a deadline."""
    assert one(text, "deadlines", "bid_deadline") is None


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("本项目不接受联合体投标。", False),
        ("是否接受联合体投标\t不接受", False),
        ("本项目接受联合体投标。", True),
        ("本项目允许联合体参加投标。", True),
        ("本项目（是/否）接受联合体投标：否", False),
        ("本项目（是/否）接受联合体投标：是", True),
        ("是否接受联合体投标：是", True),
        ("Joint ventures are not permitted.", False),
        ("Consortia are welcome to tender.", True),
        ("联合体各方应当签订协议。", None),
    ],
)
def test_negation_is_heard(text: str, allowed: bool | None) -> None:
    """不接受 is not 接受, and a mere mention decides nothing."""
    assert one(text, "qualification", "consortium") is allowed


def test_a_table_of_contents_is_no_finding() -> None:
    """Headings on the contents page, dotted or not, are not taken for the sections themselves."""
    pages = [("目录", 1), ("二、投标人资格要求.........4", 1), ("第四章 评标办法（综合评分法）\t10", 1)]
    pages += [("二、投标人资格要求", 4), ("（一）具有独立承担民事责任的能力；", 4), ("三、获取方式", 4)]
    document = Document.of("pdf", [(text, page, None) for text, page in pages], pages=4)
    assert [item["page"] for item in analyse(document, "qualification", "requirement")] == [4]
    assert one(document, "scoring", "method") is None


def test_a_running_head_counts_once() -> None:
    """A head repeated on each page is one place, not one per page."""
    parts = [
        (text, page, None) for page in range(1, 6) for text in ("★2.1 必须满足的条款", f"第{page}页正文。")
    ]
    assert len(analyse(Document.of("pdf", parts, pages=5), "risks", "starred")) == 1


@pytest.mark.parametrize(
    "text",
    [
        "细微偏差不作废标处理。",
        "上述情形不视为无效投标。",
        "Late payment shall not be rejected.",
        "第三节 否决投标的情形",
    ],
)
def test_what_is_not_rejected_is_no_risk(text: str) -> None:
    """A negated consequence and a heading are no grounds for rejection."""
    assert one(text, "risks", "rejection") is None


def test_a_starred_cell_is_a_starred_clause() -> None:
    """The mark may open any cell of a row."""
    assert one("3\t▲无线控制器\t支持512个接入点", "risks", "starred") == {"mark": "▲"}


def test_a_mention_of_stars_is_no_starred_clause() -> None:
    """带★号 explains the mark; it is not a clause marked with it."""
    assert one("★号条款为实质性要求。\n不满足带★号条款的投标无效。", "risks", "starred") is None


@pytest.mark.parametrize(("points", "is_100"), [((60, 40), True), ((60, 30), False)])
def test_the_points_are_added_up(points: tuple[int, int], is_100: bool) -> None:
    """The total is computed from the rows, and says whether it makes 100."""
    rows = [f"价格\t低价优先\t{points[0]}", f"技术\t方案\t{points[1]}分", f"合计\t\t{sum(points)}"]
    table = "\n".join(["评审因素\t评分标准\t分值", *rows])
    total = one(table, "scoring", "total")
    assert (total["sum"], total["criteria"], total["is_100"]) == (sum(points), 2, is_100)


def test_a_table_goes_on_over_the_page() -> None:
    """Rows on the next page belong to the table, past the rest of a row cut in two; a heading ends it."""
    parts = [("评审因素\t评分标准\t分值", 1), ("价格\t最低的\t60", 1), ("得满分", 2), ("技术\t方案\t40", 2)]
    parts += [("三、设备清单", 2), ("交换机\t万兆\t12", 2)]
    document = Document.of("pdf", [(text, page, None) for text, page in parts], pages=2)
    assert [i["label"] for i in analyse(document, "scoring", "criterion")] == ["价格", "技术"]


def test_points_in_headings_are_criteria() -> None:
    """Without a table, criteria are read from lines such as （一）价格部分（30分）."""
    text = "第四章 评标办法\n（一）价格部分（30分）\n按低价优先计算。\n（二）技术部分（70分）"
    assert [i["normal"]["points"] for i in analyse(text, "scoring", "criterion")] == [30, 70]


@pytest.mark.parametrize(
    "text",
    ["今天天气很好，我们去公园散步，看到了许多花和树。", "The cat sat on the mat and looked at the moon."],
)
def test_what_is_no_tender_gives_nothing(text: str) -> None:
    """A text without any of it gives nulls in all seven tabs, and a summary that says so."""
    analyser, document = OfflineAnalyser(), from_text(text)
    tabs = [asyncio.run(analyser.section(key, document)) for key in analyser.sections]
    assert [item for tab in tabs for item in tab["items"] if item["value"] is not None] == []
    assert asyncio.run(analyser.summary(document, tabs)).startswith(("未识别：", "Not found: "))


NOTICE = """某市图书馆数字化服务采购项目竞争性磋商公告
一、项目基本情况
项目编号：ZFCG-2025-001
预算金额：1,200,000.00元（人民币）
最高限价（如有）：1,180,000元
合同履行期限：自合同签订之日起至2026年12月31日
本项目（是/否）接受联合体投标：否
二、申请人的资格要求：
1.满足《中华人民共和国政府采购法》第二十二条规定；
2.本项目的特定资格要求：具有有效的营业执照。
三、获取采购文件
时间：2025年11月1日至2025年11月7日，每天上午8:30至12:00
四、提交响应文件截止时间、开标时间和地点
2025年11月22日 09点30分（北京时间）
地点：市公共资源交易中心二楼"""


@pytest.mark.parametrize(
    ("tab", "key", "expected"),
    [
        ("project", "number", "ZFCG-2025-001"),
        ("budget", "budget", yuan(1_200_000)),
        ("budget", "ceiling", yuan(1_180_000)),
        ("deliverables", "period", "自合同签订之日起至2026年12月31日"),
        ("qualification", "consortium", False),
        ("deadlines", "documents", "2025-11-01/2025-11-07"),
        ("deadlines", "bid_deadline", "2025-11-22T09:30:00+08:00"),
        ("deadlines", "opening", "2025-11-22T09:30:00+08:00"),
        ("deliverables", "warranty", None),
    ],
)
def test_the_ministry_form_is_read(tab: str, key: str, expected: Any) -> None:
    """The notice form of Chinese government procurement, where headings are labels, is read."""
    assert one(NOTICE, tab, key) == expected


def test_the_ministry_form_has_its_requirements() -> None:
    """A heading that ends in a colon still opens its section."""
    found = [item["value"] for item in analyse(NOTICE, "qualification", "requirement")]
    assert found == [
        "满足《中华人民共和国政府采购法》第二十二条规定",
        "本项目的特定资格要求：具有有效的营业执照",
    ]


def test_a_blank_to_fill_in_is_no_value() -> None:
    """Underscores in a form are not a name."""
    assert one("项目名称：________\n采购人：____（盖章）", "project", "name") is None
