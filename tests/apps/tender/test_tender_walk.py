"""The tender desk in a real browser, before a real server: from the upload to the exported file."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from tender_walks import REQUIREMENTS, picture

from duly_apps.tender.samples import sample
from support.browsing import WALKS, Server, chromium, context, fits, needed
from support.serving import serving

TEXT = "项目名称：智慧校园建设项目\n预算金额：人民币380万元\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    needed()
    folder = tmp_path_factory.mktemp("desk")
    with serving(folder, "desk_under_test:duly", Path(__file__).parent, LANG="C.UTF-8") as (url, token):
        yield Server(f"{url}/", token)


@pytest.fixture(scope="module")
def browser(server: Server) -> Iterator[Any]:
    with chromium() as one:
        yield one


@pytest.fixture(params=WALKS, ids=lambda walk: "-".join(map(str, walk)))
def page(request: pytest.FixtureRequest, browser: Any, server: Server) -> Iterator[Any]:
    """A new browser's first page, signed in; whatever it complains of fails the test."""
    with context(browser, server, request.param, forgiven=()) as opened:
        one = opened.new_page()
        one.look = "-".join(map(str, request.param))
        one.goto("apps/tender/")
        one.fill("input[name=token]", server.token)
        one.click("button.main")
        one.wait_for_selector("input[name=files]", state="attached")
        yield one


def exported(page: Any, kind: str) -> tuple[str, bytes]:
    """The name and the bytes of what the button gives."""
    with page.expect_download() as coming:
        page.click(f".exports a:has-text('{kind}')")
    return coming.value.suggested_filename, Path(coming.value.path()).read_bytes()


def test_from_upload_to_export(page: Any) -> None:
    """A PDF is handed in; its tabs come, a finding leads to its page, and the three files are whole."""
    picture(page, f"{page.look}-desk")
    page.set_input_files("input[name=files]", str(sample("smart-campus-zh.pdf")))
    page.wait_for_selector(".chosen li")
    page.click("form button.main")
    page.wait_for_selector(".tabs button")
    page.wait_for_selector(".head .badge.completed")
    assert page.locator(".tabs button").count() == 7
    page.click(".tabs button:nth-child(2)")
    page.click(".findings tr:first-child .jump")
    page.wait_for_selector(".source mark")
    assert page.inner_text(".source mark").strip() in page.inner_text(".findings tr:first-child").replace(
        "\n", ""
    )
    picture(page, f"{page.look}-result")
    assert fits(page)
    name, data = exported(page, "DOCX")
    assert (name, zipfile.ZipFile(io.BytesIO(data)).testzip()) == ("smart-campus-zh-analysis.docx", None)
    name, data = exported(page, "XLSX")
    assert len(openpyxl.load_workbook(io.BytesIO(data)).worksheets) == 8
    name, data = exported(page, "JSON")
    assert len(json.loads(data)["tabs"]) == 7
    with page.expect_download() as coming:
        page.click(".provenance a")
    assert Path(coming.value.path()).read_bytes() == sample("smart-campus-zh.pdf").read_bytes()


@pytest.mark.slow
def test_tabs_come_as_they_are_done(page: Any) -> None:
    """While it runs there are some, and a reload shows them again; cancelled, there is a button to go on."""
    page.on("dialog", lambda dialog: dialog.accept())
    page.click("form details summary")
    page.fill("textarea[name=text]", f"{TEXT}慢慢来\n")
    page.click("form button.main")
    page.wait_for_selector(".head .badge.running")
    page.wait_for_selector(".tabs button:nth-child(2)")
    picture(page, f"{page.look}-running")
    page.reload()
    page.wait_for_selector(".tabs button:nth-child(3)")
    assert page.locator(".head .badge.running").count() == 1
    assert page.locator(".exports").count() == 0
    page.click(".head button.danger")
    page.wait_for_selector(".head .badge.cancelled")
    page.click(".head button")
    page.wait_for_selector(".head .badge.completed")
    assert page.locator(".tabs button").count() == 7


def test_several_files_and_a_text_become_a_list(page: Any) -> None:
    """Each has its row; one that cannot be read says why, and can be tried again."""
    files = [
        {"name": f"{page.look}-{name}", "mimeType": "text/plain", "buffer": data}
        for name, data in (("甲.txt", TEXT.encode()), ("乙.txt", TEXT.encode()), ("空.txt", b" \n \n"))
    ]
    page.set_input_files("input[name=files]", files)
    page.wait_for_selector(".chosen li:nth-child(3)")
    page.click("form button.main")
    failed = page.wait_for_selector(f".tasks tr:has-text('{page.look}-空.txt') .badge.failed")
    assert failed is not None
    page.wait_for_selector(f".tasks tr:has-text('{page.look}-甲.txt') .badge.completed")
    page.wait_for_selector(f".tasks tr:has-text('{page.look}-乙.txt') .badge.completed")
    page.click(f".tasks tr:has-text('{page.look}-空.txt') .actions button")
    page.wait_for_selector(f".tasks tr:has-text('{page.look}-空.txt') .badge.failed")
    picture(page, f"{page.look}-list")
    assert fits(page)


def test_requirements_become_work(page: Any) -> None:
    """A pasted text is split; days and links are shown, a jump leads to the line, XLSX holds the items."""
    page.click("header a[href='#/workload']")
    page.click("form details summary")
    page.fill("textarea[name=text]", REQUIREMENTS)
    page.click("form button.main")
    page.wait_for_selector(".head .badge.completed")
    page.wait_for_selector(".sums dd")
    assert page.locator(".work tbody tr").count() >= 9
    page.click(".work tbody tr:nth-child(3) .jump")
    page.wait_for_selector(".source mark")
    picture(page, f"{page.look}-work")
    assert fits(page)
    _, data = exported(page, "XLSX")
    sheets = openpyxl.load_workbook(io.BytesIO(data)).worksheets
    assert sheets[1].max_row == page.locator(".work tbody tr").count() + 1


def test_a_task_is_cancelled_by_its_button(page: Any, server: Server) -> None:
    """Of one that waits; then there is a button to try it again, which completes it."""
    page.on("dialog", lambda dialog: dialog.accept())
    body = {"task_type": "bidding_analysis", "input": {"text": TEXT}, "due": 3600}
    ask = """(body) => import(new URL("../../api.js", document.querySelector("script[type=module]").src))
      .then((api) => api.post("/api/tasks", body)).then((task) => task.id)"""
    id_ = page.evaluate(ask, body)
    page.goto(f"apps/tender/#/tasks/{id_}")
    page.click(".head button.danger")
    page.wait_for_selector(".head .badge.cancelled")
    page.click(".head button")
    page.wait_for_selector(".head .badge.completed")
