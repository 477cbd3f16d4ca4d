"""/docs is a page of ours: every operation is told, nothing comes from elsewhere, no text becomes markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from site_under_test import Site

from duly.http import manual


class Page(HTMLParser):
    """The elements of a page, the addresses that they name, and the texts of each operation's line."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.places: list[str] = []
        self.ids: list[str] = []
        self.lines: list[str] = []
        self._inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.places += [str(value) for name, value in attrs if name in ("href", "src", "action", "style")]
        self.ids += [str(value) for name, value in attrs if name == "id"]
        self._inside = self._inside or tag == "summary"
        self.lines += [""] if tag == "summary" else []

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "summary"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.lines[-1] += data


async def test_every_operation_is_told(site: Site) -> None:
    """With its method and path, once, and every place that a link leads to is there."""
    async with site.client() as nobody:
        document = (await nobody.get("/openapi.json")).json()
        page = Page((await nobody.get("/docs")).text)
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            assert page.ids.count(operation["operationId"]) == 1
            first = operation.get("description", operation["summary"]).split("\n\n")[0].replace("`", "")
            assert f"{verb.upper()}{path}{first}" in page.lines
    for place in page.places:
        assert not place.startswith("#") or page.ids.count(place[1:]) == 1, place
    assert "openapi.json" in page.places


async def test_nothing_comes_from_elsewhere(site: Site) -> None:
    """No script at all, no other origin, the policy of all pages; its style is served."""
    async with site.client() as nobody:
        answer, home = await nobody.get("/docs"), await nobody.get("/")
        page = Page(answer.text)
        [sheet] = [place for place in page.places if place.endswith("style.css")]
        assert (await nobody.get(sheet.removeprefix("."))).status_code == 200
    assert "script" not in page.elements
    assert not [place for place in page.places if re.match(r"[a-z]+:|//", place)]
    assert answer.headers["content-security-policy"] == home.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("query", "header", "language", "word"),
    [
        ("", "", "en", "Request body"),
        ("", "zh-CN,zh;q=0.9", "zh", "请求正文"),
        ("?lang=zh", "en", "zh", "请求正文"),
        ("?lang=en", "zh", "en", "Request body"),
        ("?lang=<b>", "zh", "zh", "请求正文"),
    ],
)
async def test_its_labels_are_in_the_readers_language(
    site: Site, query: str, header: str, language: str, word: str
) -> None:
    """As the browser likes, or as the reader has chosen."""
    async with site.client({"Accept-Language": header}) as nobody:
        answer = await nobody.get(f"/docs{query}")
    assert (answer.headers["content-language"], answer.headers["vary"]) == (language, "Accept-Language")
    assert f">{word}<" in answer.text


def test_no_text_becomes_markup() -> None:
    """An app's routes tell of themselves in any words."""
    evil = "<script>alert(1)</script>\"'&"
    schema = {"type": "object", "properties": {evil: {"type": evil, "description": evil, "enum": [evil]}}}
    operation = {
        "operationId": evil,
        "tags": [evil],
        "summary": evil,
        "description": f"{evil}\n\n`{evil}`",
        "security": [{evil: []}],
        "parameters": [{"name": evil, "in": evil, "schema": {"$ref": f"#/components/schemas/{evil}"}}],
        "requestBody": {"content": {evil: {"schema": schema}}},
        "responses": {evil: {"description": evil, "headers": {evil: {}}, "content": {evil: {"schema": {}}}}},
    }
    document = {
        "info": {"title": evil, "version": evil, "summary": evil},
        "paths": {f"/{evil}": {evil: operation}},
        "webhooks": {evil: {evil: operation}},
        "components": {"responses": {evil: {"description": evil}}, "schemas": {evil: schema}},
    }
    page = Page(manual.page(document, "en", "./static/x"))
    assert not {"script", "<script"} & set(page.elements)
    assert evil in page.ids
