"""The split of requirements into work: what is found, what it costs, what waits for what; and the exports."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import zipfile
from typing import Any

import docx
import openpyxl
import pytest
from desks import Desk, accepted, look, refused, scan, text, upload
from tender_walks import REQUIREMENTS
from test_tender_handler import Desk as Stand

from duly import Fail
from duly.documents import Document, from_text
from duly.store.submissions import submit
from duly_apps.tender.export import FORMATS, written
from duly_apps.tender.split import split, workload_split
from duly_apps.tender.tasks import bidding_analysis
from duly_apps.tender.workload.engine import OfflineSplitter
from duly_apps.tender.workload.schema import checked, ordered, totals

Json = dict[str, Any]

ENGLISH = """Requirements
Module: Orders
- The system shall let clerks create and edit orders.
- Dashboards: 3 dashboards of daily sales
Module: Integration
- Integrate with the SAP API; 2 interfaces
- Deploy to 2 environments
- Acceptance tests
Effort of the legacy data migration: 10-15 person-days, must be finished in May
The tenderer shall provide a bid security of USD 10,000.
"""
TABLE = """编号	功能名称	功能描述	工作量（人天）
1	订单管理	新增、修改订单	5
2	对账接口	与财务系统对接	8-12"""


async def splitted(source: str | Document) -> list[Json]:
    document = from_text(source) if isinstance(source, str) else source
    engine = OfflineSplitter()
    return checked(await engine.link(document, checked(await engine.items(document))))


def table(rows: str) -> Document:
    """A document whose lines are rows of a table."""
    return Document.of("docx", [(row, None, n) for n, row in enumerate(rows.split("\n"), start=1)])


async def test_requirements_become_items() -> None:
    """Kinds, modules, quotes that are really there; nothing of the money or the bidder."""
    items = await splitted(REQUIREMENTS)
    assert [item["kind"] for item in items] == [
        *("access", "records", "records", "report", "workflow", "integration"),
        *("acceptance", "deployment", "training", "mobile"),
    ]
    source = from_text(REQUIREMENTS)
    assert all(source.quote(item["start"], item["end"]) == item["quote"] for item in items)
    assert items[2]["module"] == "资产管理功能"
    english = await splitted(ENGLISH)
    assert [item["kind"] for item in english] == [
        *("records", "report", "integration", "deployment", "acceptance", "migration"),
    ]


async def test_short_lines_of_a_list_are_items() -> None:
    """And a line of the same look that stands alone before others is the heading of a part."""
    items = await splitted("一、功能需求\n1. 用户管理\n2. 订单管理\n3. 统计报表\n二、其他需求\n1. 短信通知")
    assert [(item["title"], item["module"]) for item in items] == [
        *(("用户管理", "功能需求"), ("订单管理", "功能需求"), ("统计报表", "功能需求")),
        ("短信通知", "其他需求"),
    ]


async def test_what_the_text_counts_is_multiplied() -> None:
    """Five reports cost more than one, and less than five times one; without a number one is assumed."""
    [one] = await splitted("1. 资产统计报表")
    [five] = await splitted("1. 资产统计报表：提供 5 张报表")
    assert one["estimate"]["high"] < five["estimate"]["high"] < 5 * one["estimate"]["high"]
    assert one["assumptions"] == ["原文未写明数量，按 1 项估算。"]
    assert five["assumptions"] == []


async def test_a_stated_effort_is_taken() -> None:
    """From the text or from a table's column, whose head gives the unit; and it is said where it is from."""
    items = {item["kind"]: item for item in await splitted(REQUIREMENTS)}
    assert (items["mobile"]["basis"], items["mobile"]["estimate"]) == ("stated", {"low": 15, "high": 15})
    first, second = await splitted(table(TABLE))
    assert [first["estimate"], second["estimate"]] == [{"low": 5, "high": 5}, {"low": 8, "high": 12}]
    assert [first["title"], second["kind"], second["basis"]] == ["订单管理", "integration", "stated"]


async def test_what_waits_for_what() -> None:
    """Reports for the data of their module, acceptance for all, then deployment, then training; no circle."""
    items = await splitted(REQUIREMENTS)
    by_kind = {item["kind"]: item for item in items}
    waits = {kind: {link["id"] for link in item["depends_on"]} for kind, item in by_kind.items()}
    assert waits["report"] == {by_kind["records"]["id"], by_kind["integration"]["id"]}
    assert len(waits["acceptance"]) == len(items) - 3
    assert waits["deployment"] == {by_kind["acceptance"]["id"]}
    assert waits["training"] == {by_kind["deployment"]["id"]}
    order = ordered({item["id"]: [link["id"] for link in item["depends_on"]] for item in items})
    assert order.index(by_kind["deployment"]["id"]) > order.index(by_kind["mobile"]["id"])


async def test_a_named_dependency_is_stated() -> None:
    """“依赖 X”: the item X, because the text says so; a circle that the text makes is cut."""
    first, second = await splitted("1. 订单管理：依赖客户档案维护\n2. 客户档案维护：依赖订单管理")
    assert [(link["id"], link["source"]) for link in first["depends_on"]] == [("W002", "stated")]
    assert second["depends_on"] == []


async def test_sums_and_the_longest_chain() -> None:
    """The roles add up to the whole; the chain is a real one."""
    whole = totals(items := await splitted(REQUIREMENTS))
    assert whole["high"] == sum(item["estimate"]["high"] for item in items)
    assert abs(sum(share["high"] for share in whole["roles"]) - whole["high"]) < 0.5
    waits = {item["id"]: {link["id"] for link in item["depends_on"]} for item in items}
    chain = whole["chain"]["ids"]
    assert len(chain) >= 4
    assert all(earlier in waits[later] for earlier, later in itertools.pairwise(chain))


async def test_nothing_is_invented() -> None:
    """A text without a requirement has no item, and says so."""
    result = await workload_split(Stand({}), text="你好，今天天气不错。")
    assert (result["items"], result["totals"]["high"]) == ([], 0)
    assert result["summary"].startswith("未识别到需求")
    assert (result["engine"], len(result["limits"])) == ("offline", 3)


class Heard(Stand):
    """Keeps what is streamed."""

    def __init__(self) -> None:
        super().__init__({})
        self.streamed = ""

    async def emit(self, text: str) -> None:
        self.streamed += text

    @property
    def lines(self) -> list[Json]:
        return [json.loads(line) for line in self.streamed.splitlines() if line]


async def test_what_is_done_streams_as_lines() -> None:
    """Each tab when it is done, then the summary; of a split the items."""
    stand = Heard()
    result = await bidding_analysis(stand, text="项目名称：智慧校园\n预算金额：380万元")
    assert [line["tab"] for line in stand.lines if "tab" in line] == result["tabs"]
    assert stand.lines[-1] == {"summary": result["summary"]}
    stand = Heard()
    result = await workload_split(stand, text=REQUIREMENTS)
    assert stand.lines == [{"items": result["items"]}, {"summary": result["summary"]}]


class Wrong(OfflineSplitter):
    """An engine whose items wait for each other in a circle."""

    async def link(self, document: Document, items: list[Json]) -> list[Json]:
        ids = [item["id"] for item in items]
        turned = [*ids[1:], ids[0]]
        link = {"source": "rule", "why": "?"}
        return [{**item, "depends_on": [{"id": to, **link}]} for item, to in zip(items, turned, strict=True)]


async def test_what_an_engine_answers_is_checked() -> None:
    """Before it is kept: a circle is no plan, whichever engine made it."""
    with pytest.raises(Fail) as caught:
        await split(Stand({}), from_text(REQUIREMENTS), "text", Wrong())
    assert caught.value.code == "bad_split"


@pytest.mark.parametrize("change", ["range", "extra", "twice", "unknown"])
async def test_a_broken_item_is_refused(change: str) -> None:
    """Each in its own way."""
    items = await splitted(REQUIREMENTS)
    if change == "range":
        items[0]["estimate"] = {"low": 3, "high": 1}
    elif change == "extra":
        items[0]["price"] = 1
    elif change == "twice":
        items[1]["id"] = items[0]["id"]
    else:
        items[0]["depends_on"] = [{"id": "W999", "source": "rule", "why": ""}]
    with pytest.raises(ValueError, match=r"low is above high|Extra inputs|two items|not there"):
        checked(items)


async def test_it_runs_over_http_and_is_exported(desk: Desk) -> None:
    """Submitted as a text; XLSX has a row for each item, DOCX opens, JSON is the result; names are safe."""
    client = desk.user("alice")
    answer = await client.post("/api/tasks/workload/text", data={"text": REQUIREMENTS, "priority": "8"})
    task = accepted(answer)
    assert (task["task_type"], task["priority"]) == ("workload_split", 8)
    path = f"/api/tender/tasks/{task['id']}/export"
    refused(await client.get(f"{path}/xlsx"), 409, "state_conflict")
    await desk.inside.run_until_idle()
    result = (await look(client, task["id"]))["result"]
    sheet = openpyxl.load_workbook(io.BytesIO((await client.get(f"{path}/xlsx")).content))["工作项"]
    assert sheet.max_row == len(result["items"]) + 1
    assert [cell.value for cell in sheet[2]][:3] == ["W001", "用户中心", result["items"][0]["title"]]
    made = docx.Document(io.BytesIO((await client.get(f"{path}/docx")).content))
    assert len(made.tables) == 2
    answer = await client.get(f"{path}/json")
    assert answer.json() == result
    assert 'filename="text-workload.json"' in answer.headers["content-disposition"]
    refused(await client.get(f"{path}/exe"), 422, "invalid_input")
    refused(await desk.user("bob").get(f"{path}/json"), 404, "task_not_found")
    again = await client.get(f"{path}/json", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("kind", FORMATS)
async def test_nothing_in_an_export_runs(kind: str) -> None:
    """What looks like a formula is text, and what XML cannot hold is left out."""
    nasty = '=HYPERLINK("http://evil","x") 管理\x00\x0b\uffff'
    result = await workload_split(Stand({}), text="1. 订单管理")
    result["items"][0]["title"] = nasty
    result["document"]["name"] = nasty
    data = written(kind, result)
    if kind == "xlsx":
        cell = openpyxl.load_workbook(io.BytesIO(data))["工作项"]["C2"]
        assert (cell.data_type, cell.value[:10]) == ("s", "=HYPERLINK")
    elif kind == "docx":
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
        assert "evil" in docx.Document(io.BytesIO(data)).paragraphs[0].text
    else:
        assert json.loads(data)["items"][0]["title"] == nasty


async def test_many_files_are_a_batch(desk: Desk) -> None:
    """A task for each, with its name and its priority; one answer for all; a bad file fails alone."""
    client = desk.user("alice")
    files = [("files", (f"{n}.txt", b"\xe9\xa1\xb9\xe7\x9b\xae: x")) for n in range(3)]
    answer = await client.post(
        "/api/tasks/bidding/files", files=[*files, ("files", ("scan.pdf", scan()))], data={"priority": "9"}
    )
    batch = accepted(answer)
    await desk.inside.run_until_idle()
    told = (await client.get(f"/api/batches/{batch['id']}")).json()["batch"]
    assert (told["total"], told["completed"], told["failed"]) == (4, 3, 1)
    members = (await client.get("/api/tasks", params={"batch": batch["id"]})).json()["tasks"]
    assert {task["metadata"]["name"] for task in members} == {"0.txt", "1.txt", "2.txt", "scan.pdf"}
    assert {task["priority"] for task in members} == {9}


async def test_too_many_files_are_refused(desk: Desk) -> None:
    """In a line; there is /api/batches for more."""
    files = [("files", (f"{n}.txt", b"x")) for n in range(21)]
    answer = await desk.user("alice").post("/api/tasks/bidding/files", files=files)
    assert answer.status_code in (400, 413, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_old_address_refuses_what_cannot_be_read(desk: Desk) -> None:
    """A problem with the document's code; when the work takes too long, the task itself."""
    accepted_ = asyncio.Event()
    loop = asyncio.get_running_loop()
    forget = desk.inside.app.database.subscribe(
        lambda foreign: foreign or loop.call_soon_threadsafe(accepted_.set), after=frozenset({submit})
    )
    sent = {"file": ("a.pdf", scan())}
    working = asyncio.create_task(desk.user("alice").post("/api/bidding/analyze/file", files=sent))
    async with asyncio.timeout(30):
        await accepted_.wait()
    forget()
    await desk.inside.run_until_idle()
    refused(await working, 422, "needs_ocr")


async def test_the_source_of_a_finding(desk: Desk) -> None:
    """The lines around an offset, with theirs; not before it was read, and not somebody else's."""
    client = desk.user("alice")
    id_ = accepted(await text(client))["id"]
    url = f"/api/tender/tasks/{id_}/source"
    refused(await client.get(url), 404, "task_not_found")
    await desk.inside.run_until_idle()
    item = (await look(client, id_))["result"]["tabs"][1]["items"][0]
    found = (await client.get(url, params={"at": item["start"]})).json()
    line = next(one for one in found["passages"] if one["start"] <= item["start"] < one["end"])
    assert line["text"][item["start"] - line["start"] : item["end"] - line["start"]] == item["quote"]
    assert (await client.get(url, params={"at": 9_999_999})).status_code == 200
    refused(await client.get(url, params={"at": -1}), 422, "invalid_input")
    refused(await desk.user("bob").get(url), 404, "task_not_found")


async def test_the_error_is_told_in_the_readers_language(desk: Desk) -> None:
    """A Chinese reader hears in Chinese why his document could not be read."""
    id_ = accepted(await upload(desk.user("alice"), "a.pdf", scan()))["id"]
    await desk.inside.run_until_idle()
    english, chinese = [await look(desk.user("alice", one), id_) for one in ("en", "zh-CN,zh;q=0.9")]
    assert chinese["error"] == "该文件是扫描件，页面只有图像没有文字，请先做文字识别（OCR）。"
    assert english["error"].startswith("The document is a scan")
