"""The handler with a stand-in for its context: nine steps, told as progress, and errors that end the task."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from duly import Fail
from duly_apps.tender.samples import sample
from duly_apps.tender.tasks import bidding_analysis

SECTIONS = ["project", "budget", "deadlines", "qualification", "scoring", "deliverables", "risks"]


class Desk:
    """Keeps what the handler does; steps run at once, or come back from an earlier desk's record."""

    def __init__(self, uploads: dict[str, bytes], recorded: dict[str, Any] | None = None) -> None:
        self.uploads = uploads
        self.recorded = recorded or {}
        self.ran: list[str] = []
        self.told: list[tuple[float, str]] = []

    async def step(self, name: str, fn: Callable[..., Any], *args: Any) -> Any:
        if name not in self.recorded:
            self.ran.append(name)
            json.dumps(args, allow_nan=False)
            self.recorded[name] = json.loads(json.dumps(await fn(*args), allow_nan=False))
        return self.recorded[name]

    async def progress(self, value: float, message: str) -> None:
        self.told.append((value, message))

    async def emit(self, text: str) -> None: ...

    async def log(self, message: str, **fields: Any) -> None: ...

    async def blob(self, sha256: str) -> bytes:
        return self.uploads[sha256]


def upload(name: str) -> tuple[Desk, dict[str, Any]]:
    """A desk with one sample uploaded, and the input that names it."""
    return Desk({"0a": sample(name).read_bytes()}), {
        "blob": "0a",
        "name": name,
        "size": 1,
        "content_type": "",
    }


async def test_nine_steps_in_order() -> None:
    """A file is read, seven sections analysed, a summary written: nine steps, each told."""
    desk, file = upload("smart-campus-zh.pdf")
    result = await bidding_analysis(desk, file=file)
    assert desk.ran == ["read", *(f"section.{key}" for key in SECTIONS), "summary"]
    assert [message for _, message in desk.told][1:4] == ["项目概况: 5", "预算与保证金: 4", "时间节点: 5"]
    assert [value for value, _ in desk.told] == sorted(value for value, _ in desk.told)
    assert [tab["key"] for tab in result["tabs"]] == SECTIONS


async def test_the_result_says_how_it_came_about() -> None:
    """The result names engine, method, version and limits, and describes the document."""
    desk, file = upload("water-meters-en.docx")
    result = await bidding_analysis(desk, file=file)
    assert (result["engine"], result["method"], result["version"]) == ("offline", "rules", "2")
    assert len(result["limits"]) == 2
    about = {key: result["document"][key] for key in ("name", "kind", "pages", "language", "warnings")}
    assert about == {
        "name": "water-meters-en.docx",
        "kind": "docx",
        "pages": None,
        "language": "en",
        "warnings": [],
    }


async def test_a_replay_computes_nothing_again() -> None:
    """With every step recorded, a second attempt runs none and gives the same result."""
    first = Desk({})
    result = await bidding_analysis(first, text="项目名称：校园网改造\n预算金额：380万元")
    second = Desk({}, first.recorded)
    assert (await bidding_analysis(second, text="项目名称：校园网改造\n预算金额：380万元"), second.ran) == (
        result,
        [],
    )


@pytest.mark.parametrize(("name", "code"), [("broken-map-zh.pdf", "text_unreadable"), ("truth.json", None)])
async def test_an_unreadable_file_ends_the_task(name: str, code: str | None) -> None:
    """A document error ends the task for good, with its code; readable text of any name is analysed."""
    desk, file = upload(name)
    if code is None:
        assert (await bidding_analysis(desk, file=file))["document"]["kind"] == "text"
        return
    with pytest.raises(Fail) as caught:
        await bidding_analysis(desk, file=file)
    assert caught.value.code == code


@pytest.mark.parametrize(("text", "code"), [("  \n", "empty_document"), (None, "invalid_input")])
async def test_nothing_to_read_ends_the_task(text: str | None, code: str) -> None:
    """An empty text, or neither text nor file, is an error with a code."""
    with pytest.raises(Fail) as caught:
        await bidding_analysis(Desk({}), text=text)
    assert caught.value.code == code
