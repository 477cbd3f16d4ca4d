"""Every error is one shape, RFC 9457, whoever raised it; methods and headers are those of the standard."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import MakeSite, Site, Stream

from duly.http.problems import CODES
from duly.http.titles import TITLES, title

JSON = {"Content-Type": "application/json"}
FIELDS = {"type", "title", "status", "detail", "code", "instance"}

#: (method, path, request, status, code)
SWEEP: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nowhere", {}, 404, "not_found"),
    ("GET", "/api/tasks/", {}, 404, "not_found"),
    ("POST", "/api/nowhere", {"json": {}}, 404, "not_found"),
    ("GET", "/api/tasks/none", {}, 404, "task_not_found"),
    ("PUT", "/api/tasks", {"json": {}}, 405, "method_not_allowed"),
    ("PATCH", "/api/tasks/x", {"json": {}}, 405, "method_not_allowed"),
    ("DELETE", "/livez", {}, 405, "method_not_allowed"),
    ("PROPFIND", "/api/tasks", {}, 405, "method_not_allowed"),
    ("POST", "/api/tasks", {"content": b"{", "headers": JSON}, 400, "malformed_json"),
    ("POST", "/api/tasks", {"content": b"x"}, 415, "unsupported_media_type"),
    ("POST", "/api/tasks", {"content": b"x" * 2_000_000, "headers": JSON}, 413, "too_large"),
    ("POST", "/api/tasks", {"json": {"task_type": "none"}}, 422, "unknown_task_type"),
    ("POST", "/api/tasks", {"json": {"task_type": "echo", "owner": "bob"}}, 403, "forbidden"),
    ("GET", "/api/tasks?limit=x", {}, 422, "invalid_input"),
    ("POST", "/api/files", {"files": {"file": ("a", b"")}}, 422, "empty_upload"),
    ("POST", "/api/files", {"files": {"other": ("a", b"x")}}, 422, "invalid_input"),
    ("GET", "/api/crash", {}, 500, "internal_error"),
    ("GET", "/api/crash/duly", {}, 500, "internal_error"),
    ("GET", "/api/crash/files", {}, 503, "not_ready"),
    ("GET", "/api/teapot", {}, 418, "bad_request"),
]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("method", "path", "request_", "status", "code"), SWEEP)
async def test_every_error_is_a_problem(
    shared: Site, method: str, path: str, request_: dict[str, Any], status: int, code: str
) -> None:
    """All members are there, the status is the answer's, and no bare {"detail"} exists."""
    async with shared.user("ann") as ann:
        answer = await ann.request(method, path, **request_)
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() - {"errors"} == FIELDS
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"/problems/{code.replace('_', '-')}"
    assert problem["instance"] == path.partition("?")[0]
    assert problem["title"]
    assert problem["detail"]
    assert ("retry-after" in answer.headers) is (status == 503)


@pytest.mark.asyncio(loop_scope="module")
async def test_without_credentials_the_problem_is_a_problem_too(shared: Site) -> None:
    """401 has the same shape."""
    async with shared.client() as stranger:
        answer = await stranger.get("/api/tasks")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() == FIELDS


@pytest.mark.asyncio(loop_scope="module")
async def test_an_unknown_address_is_404_before_it_is_401(shared: Site) -> None:
    """A stranger learns of a missing route that it is missing."""
    async with shared.client() as stranger:
        assert (await stranger.get("/api/nowhere")).status_code == 404
        assert (await stranger.put("/api/tasks")).status_code == 405


@pytest.mark.parametrize("path", ["/api/crash", "/api/crash/duly"])
async def test_a_crash_shows_nothing_of_our_insides(
    site: Site, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer holds neither message nor traceback; the log holds both."""
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(site.app, "emit", lambda name, /, **fields: told.append((name, fields)))
    async with site.user("ann") as ann:
        answer = await ann.get(path)
    assert "swordfish" not in answer.text
    assert "Traceback" not in answer.text
    [(name, fields)] = told
    assert (name, fields["path"]) == ("http.error", path)
    assert "swordfish" in fields["error"]
    assert "Traceback" in fields["traceback"]


async def test_a_closed_database_is_503_without_its_path(site: Site) -> None:
    """What the store says stays in the log; the caller is told to come again."""
    site.app.database.close()
    async with site.user("ann") as ann:
        answer = await ann.get("/api/tasks")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert answer.headers["retry-after"] == "1"
    assert "not open" not in answer.text


@pytest.mark.asyncio(loop_scope="module")
async def test_an_apps_own_error_keeps_its_headers(shared: Site) -> None:
    """What a user's route raises becomes a problem with the headers it set."""
    async with shared.user("ann") as ann:
        answer = await ann.get("/api/teapot")
    assert answer.headers["x-pot"] == "tea"
    assert "stout" in answer.json()["detail"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/api/tasks", "GET, HEAD, OPTIONS, POST"),
        ("/api/tasks/x", "DELETE, GET, HEAD, OPTIONS"),
        ("/api/tasks/x/cancel", "OPTIONS, POST"),
        ("/api/tasks/stats", "GET, HEAD, OPTIONS"),
        ("/api/tasks/move", "OPTIONS, POST"),
        ("/livez", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_405_names_all_methods_of_the_address(shared: Site, path: str, allow: str) -> None:
    """Allow holds what every route at this address answers, and OPTIONS answers the same with 204."""
    async with shared.user("ann") as ann:
        refused, asked = await ann.put(path), await ann.options(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allow)
    assert (asked.status_code, asked.headers["allow"], asked.content) == (204, allow, b"")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/livez", "/api/tasks", "/api/tasks/none", "/nowhere", "/api/crash"])
async def test_head_is_get_without_a_body(shared: Site, path: str) -> None:
    """The same status and headers as GET, and not a byte more."""
    headers = {**shared.bearer("ann"), "X-Request-Id": "one"}
    head, get = (Stream(shared.api, path, headers, method) for method in ("HEAD", "GET"))
    assert await head.ended() == ""
    assert await get.ended() != ""
    assert (head.status, head.headers) == (get.status, get.headers)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("path", ["/livez", "/api/tasks", "/nowhere", "/api/crash"])
async def test_json_carries_the_headers_browsers_need(shared: Site, path: str) -> None:
    """Not sniffed, not cached, not framed; errors too."""
    async with shared.user("ann") as ann:
        headers = (await ann.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-Hans-CN", "zh"),
        ("ZH", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("en;q=0.1, zh;q=0.2", "zh"),
        ("fr, de;q=0.9", "en"),
        ("fr, zh;q=0.1", "zh"),
        ("zh;q=0", "en"),
        ("*", "en"),
        ("zh;q=x", "en"),
        (",;=,", "en"),
        ("zhongwen", "en"),
        ("a," * 10_000 + "zh", "en"),
    ],
)
async def test_titles_are_in_the_callers_language(shared: Site, header: str, words: str) -> None:
    """The language he likes best of those we have; English when in doubt. Code and type stay."""
    async with shared.client({"Accept-Language": header}) as client:
        answer = await client.get("/nowhere")
    assert answer.json()["title"] == {"en": "There is nothing at this address", "zh": "该地址不存在"}[words]
    assert answer.headers["content-language"] == words
    assert (answer.json()["type"], answer.headers["vary"]) == ("/problems/not-found", "Accept-Language")


def test_every_code_has_a_title_in_both_languages() -> None:
    """No error of ours falls back to its status for a title."""
    assert set(CODES.values()) <= TITLES.keys()
    assert all(words.keys() == {"en", "zh"} and all(words.values()) for words in TITLES.values())


@pytest.mark.parametrize(
    ("status", "en", "zh"), [(409, "Conflict", "状态冲突"), (599, "Error", "服务器错误")]
)
def test_an_apps_own_code_is_titled_by_its_status(status: int, en: str, zh: str) -> None:
    """A code that is not in the table still has a title."""
    assert (title("my_code", status, "en"), title("my_code", status, "zh")) == (en, zh)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_path_with_odd_characters_is_quoted(shared: Site) -> None:
    """`instance` is a URI reference whatever was asked for."""
    async with shared.client() as client:
        answer = await client.get("/no%20where/%22%0a任")
    assert answer.json()["instance"] == "/no%20where/%22%0A%E4%BB%BB"


async def test_openapi_describes_every_operation_and_its_problems(make_site: MakeSite) -> None:
    """/openapi.json and /docs are served; each operation documents problem+json and who may call."""
    site = await make_site()
    async with site.client() as client:
        schema = (await client.get("/openapi.json")).json()
        assert (await client.get("/docs")).status_code == 200
    operations = {path: verbs for path, verbs in schema["paths"].items() if path.startswith("/api/")}
    for path, verbs in operations.items():
        for verb, one in verbs.items():
            assert {"400", "429", "500", "503"} <= one["responses"].keys(), (verb, path)
            # The address is the credential, or the body and the cookie are.
            open_to_all = path.startswith(("/api/callbacks/", "/api/links/", "/api/session"))
            session = {"session": []} if verb == "get" else {"session": [], "csrf": []}
            assert one.get("security") == (None if open_to_all else [{"token": []}, session]), (verb, path)
    assert schema["paths"]["/api/tasks"]["post"]["requestBody"]["content"]["application/json"]["schema"][
        "required"
    ]
    assert schema["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "security" not in schema["paths"]["/livez"]["get"]
