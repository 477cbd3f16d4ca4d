"""Every error speaks both languages, whole: title, detail and the findings in `errors`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from site_under_test import Site
from starlette.requests import Request

import duly.http.prefer
import duly.model.outcome  # noqa: F401 - the same
from duly.http import chinese
from duly.http.meanings import MEANINGS
from duly.http.problems import CODES, problem
from duly.http.titles import TITLES
from duly.model.errors import DulyError

CHINESE = re.compile("[一-鿿]")
OURS = ("duly.",)


def classes(kind: type[DulyError] = DulyError) -> Iterator[type[DulyError]]:
    """Duly's own errors that are answered as they are: all others are a 500 of one text."""
    for one in kind.__subclasses__():
        if one.__module__.startswith(OURS) and one.http_status != 500:
            yield one
        yield from classes(one)


@pytest.mark.parametrize("kind", sorted(set(classes()), key=lambda kind: kind.__name__))
def test_every_class_of_errors_is_told_in_both_languages(kind: type[DulyError]) -> None:
    """Its code has a title and a meaning in each, with its status."""
    assert kind.code in TITLES
    assert MEANINGS[kind.code].status == kind.http_status
    zh = chinese.detail(kind.code, str(kind()))
    assert CHINESE.search(zh)
    assert "（" not in zh or str(kind()) != MEANINGS[kind.code].en


def test_titles_and_meanings_are_of_the_same_codes() -> None:
    """No code has one without the other; every meaning is a sentence in its language."""
    assert set(TITLES) == set(MEANINGS) >= set(CODES.values())
    for meaning in MEANINGS.values():
        assert CHINESE.search(meaning.zh)
        assert not CHINESE.search(meaning.en)


def _operations(site: Site) -> Iterator[tuple[str, str]]:
    for path, verbs in site.api.openapi()["paths"].items():
        for verb in verbs:
            yield verb.upper(), re.sub(r"\{[^}]+\}", "none", path)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("who", ["stranger", "ann"])
async def test_every_route_errs_in_the_callers_language(shared: Site, who: str, language: str) -> None:
    """Without credentials, with a body of no use, for things that are not there: one language each."""
    headers = {"Accept-Language": language}
    headers |= shared.bearer("ann") if who == "ann" else {}
    erred = 0
    async with shared.client(headers) as client:
        for verb, path in _operations(shared):
            if path == "/api/events":  # a stream for who is known: test_http_streams
                continue
            wrong: dict[str, Any] = {} if verb in ("GET", "DELETE") else {"json": {"strange": 1}}
            answer = await client.request(verb, f"{path}?limit=x", **wrong)
            if answer.status_code < 400:
                continue
            erred += 1
            said = answer.json()
            assert answer.headers["content-type"] == "application/problem+json", (verb, path)
            assert answer.headers["content-language"] == language
            for text in (said["title"], said["detail"]):
                assert bool(CHINESE.search(text)) == (language == "zh"), (verb, path, text)
            for one in said.get("errors", ()):
                assert bool(CHINESE.search(one["detail"])) == (language == "zh"), (verb, path, one)
    assert erred > 20


@pytest.mark.parametrize(
    ("english", "zh"),
    [
        ("unknown key", "未知字段"),
        ("Input should be less than or equal to 200", "不能大于 200"),
        ("there is no task 12", "任务 12 不存在"),
        ("the key 'a' stands twice in one object", "对象中的键 'a' 重复出现"),
        ("something new", None),
        ("x" * 100_000, None),
    ],
)
def test_sentences_keep_their_particulars(english: str, zh: str | None) -> None:
    """A known sentence is translated with its values, an unknown one is not guessed."""
    assert chinese.sentence(english) == zh


def test_what_no_pattern_knows_keeps_its_english_behind_the_meaning() -> None:
    """No particular is lost."""
    said = chinese.detail("invalid_input", "something new")
    assert said == "输入无效，请修改后重新提交。（something new）"
    assert chinese.detail("an_apps_own", "stout") == "请求失败：stout"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("code", MEANINGS)
async def test_the_type_of_a_problem_is_an_address_that_explains_it(shared: Site, code: str) -> None:
    """Without credentials, as JSON and as a page, in both languages."""
    path = f"/problems/{code.replace('_', '-')}"
    async with shared.client() as client:
        en = await client.get(path)
        zh = await client.get(path, headers={"Accept-Language": "zh"})
        page = await client.get(path, headers={"Accept": "text/html"})
    assert (en.status_code, en.json()["type"], en.json()["code"]) == (200, path, code)
    assert (en.json()["title"], zh.json()["title"]) == (TITLES[code]["en"], TITLES[code]["zh"])
    assert CHINESE.search(zh.json()["detail"])
    assert page.headers["content-type"].startswith("text/html")
    assert code in page.text


@pytest.mark.asyncio(loop_scope="module")
async def test_an_unknown_problem_is_not_found(shared: Site) -> None:
    """And the list names all."""
    async with shared.client() as client:
        assert (await client.get("/problems/none")).status_code == 404
        listed = (await client.get("/problems")).json()["problems"]
    assert {one["code"] for one in listed} == set(MEANINGS)


def test_a_problem_in_chinese_keeps_its_pointers() -> None:
    """Places in the input are not translated."""
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-language", b"zh")]}
    errors = [{"detail": "unknown key", "pointer": "#/a"}]
    body = problem(Request(scope), 422, "invalid_input", "a: unknown key", errors=errors).body
    assert "未知字段" in bytes(body).decode()
    assert '"pointer":"#/a"' in bytes(body).decode()
