"""What stands before the routes: sizes with and without a length, compression, broken forms."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from site_under_test import MakeSite, Site

JSON = "application/json"

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
