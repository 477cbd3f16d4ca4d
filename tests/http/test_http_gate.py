"""The bad-input matrix: whatever is sent as a body, the answer is the right problem, never a crash."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from site_under_test import MakeSite, Site

JSON = "application/json"
LIMIT = 65_536


def _input(value: str) -> bytes:
    return b'{"task_type":"echo","input":{"x":' + value.encode("utf-8", "surrogatepass") + b"}}"


#: (status, code) by what is sent as the value of one input key.
VALUES = {
    "NaN": ("NaN", 400, "malformed_json"),
    "Infinity": ("Infinity", 400, "malformed_json"),
    "-Infinity": ("-Infinity", 400, "malformed_json"),
    "1e999": ("1e999", 400, "malformed_json"),
    "U+0000": ('"x\\u0000y"', 400, "malformed_json"),
    "U+0000 in a key": ('{"a\\u0000":1}', 400, "malformed_json"),
    "raw NUL": ('"a\x00b"', 400, "malformed_json"),
    "lone high surrogate": ('"\\ud800"', 400, "malformed_json"),
    "lone low surrogate": ('"\\udc00x"', 400, "malformed_json"),
    "surrogate in a key": ('{"\\ud800":1}', 400, "malformed_json"),
    "raw surrogate": ('"\ud800"', 400, "malformed_json"),
    "depth 31": ("[" * 29 + "]" * 29, 400, "malformed_json"),
    "depth 900": ("[" * 900 + "]" * 900, 400, "malformed_json"),
    "depth 10,000": ("[" * 10_000 + "]" * 10_000, 400, "malformed_json"),
    "unclosed depth": ("[" * 10_000, 400, "malformed_json"),
    "2^53": (str(2**53), 400, "malformed_json"),
    "2^63": (str(2**63), 400, "malformed_json"),
    "401 digits": ("9" * 401, 400, "malformed_json"),
    "5,000 digits": ("9" * 5000, 400, "malformed_json"),
    "duplicate keys": ('{"a":1,"a":2}', 400, "malformed_json"),
    "single quotes": ("'x'", 400, "malformed_json"),
    "raw newline": ('"a\nb"', 400, "malformed_json"),
    "trailing comma": ("[1,]", 400, "malformed_json"),
    "larger than the limit": ('"' + "x" * LIMIT + '"', 413, "too_large"),
}

#: (status, code) by the whole body.
BODIES = {
    "empty": (b"", 400, "malformed_json"),
    "spaces": (b"  ", 400, "malformed_json"),
    "bad UTF-8": (b'{"task_type":"\xff\xfe"}', 400, "malformed_json"),
    "UTF-16": ('{"task_type":"echo"}'.encode("utf-16"), 400, "malformed_json"),
    "byte order mark": (b'\xef\xbb\xbf{"task_type":"echo"}', 400, "malformed_json"),
    "trailing bytes": (b'{"task_type":"echo"} {}', 400, "malformed_json"),
    "cut off": (b'{"task_type":"echo', 400, "malformed_json"),
    "duplicate task_type": (b'{"task_type":"echo","task_type":"other"}', 400, "malformed_json"),
    "an array": (b"[]", 422, "invalid_input"),
    "a number": (b"1", 422, "invalid_input"),
    "null": (b"null", 422, "invalid_input"),
    "form encoded": (b"task_type=echo", 400, "malformed_json"),
}
CASES = {name: (_input(value), status, code) for name, (value, status, code) in VALUES.items()} | BODIES


@pytest.mark.parametrize("path", ["/api/tasks", "/api/notes"])
@pytest.mark.parametrize(("body", "status", "code"), CASES.values(), ids=CASES.keys())
async def test_a_bad_body_is_a_problem(
    make_site: MakeSite, path: str, body: bytes, status: int, code: str
) -> None:
    """Each body of the matrix is refused with its status and code, on our routes and on an app's."""
    site = await make_site(body_limit=LIMIT)
    async with site.user("ann") as ann:
        answer = await ann.post(path, content=body, headers={"Content-Type": JSON})
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)


#: Just inside the rules.
GOOD: dict[str, Any] = {
    "depth 30": [[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]],
    "2^53 - 1": 2**53 - 1,
    "-(2^53 - 1)": -(2**53 - 1),
    "1e308": 1e308,
    "emoji": "😀",
    "U+2028": "a\u2028b",
    "DEL": "\x7f",
    "null": None,
    "empty key": {"": 1},
}


@pytest.mark.parametrize("value", GOOD.values(), ids=GOOD.keys())
async def test_what_is_just_inside_is_kept_unchanged(site: Site, value: Any) -> None:
    """What the gate lets pass is what the handler gets."""
    async with site.user("ann") as ann:
        await site.submitted(ann, input={"x": value})
    [claimed] = await site.claim()
    assert json.loads(claimed.input) == {"x": value}


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/jsonx", "application/json; charset=gbk", "",
     "json", "*/*", "application/x-www-form-urlencoded", "application/problem+json"],
)  # fmt: skip
async def test_another_content_type_is_415(site: Site, content_type: str) -> None:
    """JSON is application/json in UTF-8 only: a foreign page cannot send that without asking first."""
    async with site.user("ann") as ann:
        headers = {"Content-Type": content_type}
        answer = await ann.post("/api/tasks", content=b'{"task_type":"echo"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_no_content_type_is_415(site: Site) -> None:
    """A body that does not say what it is is not guessed at."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/tasks", content=b'{"task_type":"echo"}')
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"']
)
async def test_json_may_name_its_character_set(site: Site, content_type: str) -> None:
    """UTF-8 may be named, in any case."""
    async with site.user("ann") as ann:
        headers = {"Content-Type": content_type}
        answer = await ann.post("/api/tasks", content=b'{"task_type":"echo"}', headers=headers)
    assert answer.status_code == 202


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
@pytest.mark.parametrize("path", ["/api/tasks", "/api/raw", "/api/files"])
async def test_a_compressed_body_is_415(site: Site, path: str, encoding: str) -> None:
    """Nothing is unpacked, so nothing can explode."""
    async with site.user("ann") as ann:
        headers = {"Content-Encoding": encoding, "Content-Type": JSON}
        answer = await ann.post(path, content=b"\x1f\x8b", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def _drip(size: int, asked: list[int]) -> AsyncIterator[bytes]:
    for at in range(0, size, 1024):
        asked.append(at)
        yield b"x" * 1024


@pytest.mark.parametrize("path", ["/api/tasks", "/api/raw"])
async def test_a_body_without_a_length_is_cut_at_the_limit(make_site: MakeSite, path: str) -> None:
    """A body that drips in is refused when it passes the limit, and no more of it is read."""
    site, asked = await make_site(body_limit=4096), []
    async with site.user("ann") as ann:
        headers = {"Content-Type": JSON}
        answer = await ann.post(path, content=_drip(1_000_000, asked), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert len(asked) <= 6


@pytest.mark.parametrize("length", ["4097", "99999999999999999999"])
async def test_a_length_over_the_limit_is_refused_before_the_body(make_site: MakeSite, length: str) -> None:
    """A Content-Length over the limit is 413 without reading a byte."""
    site, asked = await make_site(body_limit=4096), []
    async with site.user("ann") as ann:
        headers = {"Content-Type": JSON, "Content-Length": length}
        answer = await ann.post("/api/tasks", content=_drip(8192, asked), headers=headers)
    assert (answer.status_code, asked) == (413, [])


async def test_an_upload_has_its_own_limit(make_site: MakeSite) -> None:
    """A form with a file may be larger than JSON may, up to upload_limit: one byte more is 413."""
    site = await make_site(body_limit=1024, upload_limit=100_000)
    async with site.user("ann") as ann:
        fits = await ann.post("/api/files", files={"file": ("a", b"x" * 100_000)})
        over = await ann.post("/api/files", files={"file": ("a", b"x" * 100_001)})
        far = await ann.post("/api/files", files={"file": ("a", b"x" * 200_000)})
    assert (fits.status_code, fits.json()["size"]) == (200, 100_000)
    assert [(one.status_code, one.json()["code"]) for one in (over, far)] == [(413, "too_large")] * 2


async def test_a_form_with_too_many_parts_is_refused(site: Site) -> None:
    """1,001 parts are a problem, not a thousand temporary files."""
    async with site.user("ann") as ann:
        answer = await ann.post("/api/files", files=[("file", (f"{n}", b"x")) for n in range(1001)])
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"--x\r\n\r\n\r\n--x--",
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\na\r\n--x--',
    ],
)
async def test_a_broken_form_is_a_problem(site: Site, body: bytes) -> None:
    """A form that is cut off, empty or without a file is refused."""
    async with site.user("ann") as ann:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await ann.post("/api/files", content=body, headers=headers)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_stranger_cannot_make_us_keep_a_form(site: Site) -> None:
    """Without credentials a form is refused before its first byte is read."""
    asked: list[int] = []
    async with site.client({"Content-Type": "multipart/form-data; boundary=x"}) as stranger:
        answer = await stranger.post("/api/files", content=_drip(8192, asked))
    assert (answer.status_code, asked) == (401, [])
