"""Files: raw uploads, digests, downloads in ranges, and links that work without credentials."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest
from site_under_test import MakeSite, Site

from duly.clock import SystemClock
from duly.http.ranges import disposition
from duly.store.bodies import PART
from duly.testing import FakeClock

DATA = bytes(range(256)) * 10


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


async def uploaded(client: httpx2.AsyncClient, data: bytes = DATA, query: str = "", **headers: str) -> Any:
    return await client.post(f"/api/uploads{query}", content=data, headers=headers)


async def task_with(site: Site, client: httpx2.AsyncClient, data: bytes = DATA) -> tuple[str, str]:
    """A task whose input names a file; and the file's SHA-256."""
    kept = (await uploaded(client, data, "?name=a.bin", **{"Content-Type": "image/png"})).json()
    return (await site.submitted(client, input={"file": kept}))["id"], kept["blob"]


@pytest.mark.parametrize(
    ("query", "headers", "name"),
    [
        ("", {}, "file"),
        ("?name=a.txt", {}, "a.txt"),
        ("", {"Content-Disposition": 'attachment; filename="b c.txt"'}, "b c.txt"),
        ("", {"Content-Disposition": "attachment; filename*=UTF-8''%E4%B8%AD%E6%A0%87.pdf"}, "中标.pdf"),
        ("", {"Content-Disposition": ";;;="}, "file"),
        ("?name=..%2F..%2Fetc%2Fpasswd", {}, "passwd"),
        ("?name=a%0D%0Ab", {}, "ab"),
    ],
)
async def test_a_file_comes_raw_with_its_name(
    site: Site, query: str, headers: dict[str, str], name: str
) -> None:
    """Any media type; the name from the address or from Content-Disposition, made safe."""
    async with site.user("ann") as ann:
        answer = await uploaded(ann, DATA, query, **{"Content-Type": "text/x-strange", **headers})
    sha256 = hashlib.sha256(DATA).hexdigest()
    told = {"blob": sha256, "name": name, "size": len(DATA), "content_type": "text/x-strange"}
    assert (answer.status_code, answer.json()) == (201, told)


async def test_a_form_is_read_as_before(site: Site) -> None:
    """The field `file`; without it the problem names it."""
    async with site.user("ann") as ann:
        good = await ann.post("/api/uploads", files={"file": ("x.txt", b"abc", "text/plain")})
        bad = await ann.post("/api/uploads", files={"other": ("x.txt", b"abc")})
    assert (good.status_code, good.json()["name"]) == (201, "x.txt")
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "#/body/file")


@pytest.mark.parametrize("header", ["Content-Digest", "Repr-Digest"])
async def test_a_digest_is_checked_before_anything_is_kept(site: Site, header: str) -> None:
    """The right one passes, among others; a wrong one and one that cannot be read are 400."""
    async with site.user("ann") as ann:
        right = await uploaded(ann, **{header: f"md5=:AAAA:, {digest(DATA)}"})
        other = await uploaded(ann, **{header: "md5=:AAAA:"})
        wrong = await uploaded(ann, b"other", **{header: digest(DATA)})
        odd = await uploaded(ann, **{header: "sha-256=:AAAA:"})
        file = await site.submitted(ann, input={"file": hashlib.sha256(b"other").hexdigest()})
        gone = await ann.get(f"/api/tasks/{file['id']}/files/{hashlib.sha256(b'other').hexdigest()}")
    assert (right.status_code, other.status_code) == (201, 201)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "bad_digest")
    assert (odd.status_code, odd.json()["code"]) == (400, "bad_header")
    assert gone.status_code == 404


async def test_raw_files_are_capped_and_closed(make_site: MakeSite) -> None:
    """Over the limit 413, empty 422, without credentials 401 before a byte is read."""
    site = await make_site(upload_limit=100_000, body_limit=2_000)
    async with site.user("ann") as ann, site.client() as stranger:
        answers = [
            await uploaded(ann, b"x" * 100_000),
            await uploaded(ann, b"x" * 500_000),
            await uploaded(ann, b""),
            await uploaded(stranger, b"x" * 500),
            await uploaded(ann, b"x", **{"Content-Encoding": "gzip"}),
        ]
    assert [answer.status_code for answer in answers] == [201, 413, 422, 401, 415]


@pytest.mark.parametrize(
    ("asked", "status", "first", "last"),
    [
        (None, 200, 0, 2559),
        ("bytes=0-99", 206, 0, 99),
        ("bytes=100-", 206, 100, 2559),
        ("bytes=-10", 206, 2550, 2559),
        ("bytes=0-", 206, 0, 2559),
        ("bytes=2559-9999999", 206, 2559, 2559),
        ("bytes=-9999999", 206, 0, 2559),
        ("BYTES = 0 - 9", 206, 0, 9),
        ("bytes=9-1", 200, 0, 2559),
        ("bytes=0-1,5-6", 200, 0, 2559),
        ("bytes=x", 200, 0, 2559),
        ("lines=1-2", 200, 0, 2559),
        ("bytes=-", 200, 0, 2559),
    ],
)
async def test_a_download_heeds_a_range(
    site: Site, asked: str | None, status: int, first: int, last: int
) -> None:
    """One range is cut out; what cannot be read means the whole."""
    async with site.user("ann") as ann:
        id_, sha256 = await task_with(site, ann)
        headers = {} if asked is None else {"Range": asked}
        answer = await ann.get(f"/api/tasks/{id_}/files/{sha256}", headers=headers)
    assert (answer.status_code, answer.content) == (status, DATA[first : last + 1])
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {first}-{last}/2560"
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"] == f'"{sha256}"'
    assert answer.headers["content-disposition"].startswith('attachment; filename="a.bin"')
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("asked", ["bytes=2560-", "bytes=9999-99999", "bytes=-0"])
async def test_bytes_that_are_not_there_are_416(site: Site, asked: str) -> None:
    """Content-Range says how many there are."""
    async with site.user("ann") as ann:
        id_, sha256 = await task_with(site, ann)
        answer = await ann.get(f"/api/tasks/{id_}/files/{sha256}", headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */2560")
    assert answer.json()["code"] == "range_not_satisfiable"


@pytest.mark.parametrize(("condition", "status"), [("own", 206), ('"other"', 200), ("W/own", 200)])
async def test_if_range_wants_the_strong_tag(site: Site, condition: str, status: int) -> None:
    """A range of another version is the whole of this one."""
    async with site.user("ann") as ann:
        id_, sha256 = await task_with(site, ann)
        tag = condition.replace("own", f'"{sha256}"')
        headers = {"Range": "bytes=0-9", "If-Range": tag}
        answer = await ann.get(f"/api/tasks/{id_}/files/{sha256}", headers=headers)
        kept = await ann.get(f"/api/tasks/{id_}/files/{sha256}", headers={"If-None-Match": f'"{sha256}"'})
    assert (answer.status_code, kept.status_code) == (status, 304)


async def test_a_range_over_parts_is_put_together(site: Site) -> None:
    """Bytes from two parts, and the head alone on HEAD."""
    data = os.urandom(2 * PART + 5)
    async with site.user("ann") as ann:
        id_, sha256 = await task_with(site, ann, data)
        path = f"/api/tasks/{id_}/files/{sha256}"
        middle = await ann.get(path, headers={"Range": f"bytes={PART - 3}-{2 * PART + 1}"})
        whole, head = await ann.get(path), await ann.head(path)
    assert middle.content == data[PART - 3 : 2 * PART + 2]
    assert whole.content == data
    assert (head.content, head.headers["content-length"]) == (b"", str(len(data)))


async def test_a_file_is_seen_by_who_sees_a_task_that_names_it(site: Site) -> None:
    """Its SHA-256 alone opens nothing: not to others, and not beside another task."""
    async with site.user("ann") as ann, site.user("bob") as bob:
        id_, sha256 = await task_with(site, ann)
        other = (await site.submitted(bob))["id"]
        answers = [
            await bob.get(f"/api/tasks/{id_}/files/{sha256}"),
            await bob.get(f"/api/tasks/{other}/files/{sha256}"),
            await ann.get(f"/api/tasks/{id_}/files/{'0' * 64}"),
        ]
    assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_a_result_is_a_file_too(site: Site) -> None:
    """JSON as an attachment; before the end 409."""
    async with site.user("ann") as ann:
        id_ = (await site.submitted(ann))["id"]
        early = await ann.get(f"/api/tasks/{id_}/result")
        await site.finish({"a": "中"})
        late = await ann.get(f"/api/tasks/{id_}/result", headers={"Range": "bytes=0-3"})
        whole = await ann.get(f"/api/tasks/{id_}/result")
    assert early.status_code == 409
    assert (late.status_code, late.content) == (206, b'{"a"')
    assert whole.json() == {"a": "中"}
    assert f"{id_}.json" in whole.headers["content-disposition"]


async def test_a_link_works_without_credentials_until_it_expires(make_site: MakeSite) -> None:
    """For its task and its file, unchanged; a changed letter, another task and time end it."""
    clock = FakeClock(SystemClock().now_ms())
    site = await make_site(clock=clock)
    async with site.user("ann") as ann, site.user("bob") as bob, site.client() as stranger:
        id_, sha256 = await task_with(site, ann)
        other, _ = await task_with(site, ann, b"other")
        made = await ann.post(f"/api/tasks/{id_}/link", json={"what": sha256, "ttl": 60})
        url = made.json()["url"]
        assert made.status_code == 201
        assert (await stranger.get(url)).content == DATA
        assert (await stranger.get(url, headers={"Range": "bytes=0-1"})).status_code == 206
        expires = str(clock.now_ms() // 1000 + 60)
        changed = [
            url.replace(id_, other),
            url.replace(sha256, "result"),
            url.replace(f"expires={expires}", f"expires={int(expires) + 1}"),
            url[:-1] + ("0" if url[-1] != "0" else "1"),
            url.partition("&signature")[0] + "&signature=",
        ]
        assert [(await stranger.get(one)).status_code for one in changed] == [403] * 5
        assert (await bob.post(f"/api/tasks/{id_}/link")).status_code == 404
        assert (await ann.post(f"/api/tasks/{id_}/link", json={"what": "0" * 64})).status_code == 404
        assert (await ann.post(f"/api/tasks/{id_}/link", json={"what": "../x"})).status_code == 422
        clock.advance(60)
        late = await stranger.get(url)
    assert (late.status_code, late.json()["code"]) == (403, "bad_link")


async def test_a_link_to_a_result_shows_it_once_it_is_there(site: Site) -> None:
    """Made before the end, it answers 409 until then."""
    async with site.user("ann") as ann, site.client() as stranger:
        id_ = (await site.submitted(ann))["id"]
        url = (await ann.post(f"/api/tasks/{id_}/link")).json()["url"]
        early = await stranger.get(url)
        await site.finish(7)
        late = await stranger.get(url)
    assert (early.status_code, late.status_code, late.json()) == (409, 200, 7)


@pytest.mark.parametrize(
    "name",
    [
        "中标 结果.pdf",
        "a\r\nX-Evil: 1",
        'q"uote\\.txt',
        "emoji \U0001f4c4",
        "\u202egpj.exe",
        "x" * 300,
        "",
        "CON",
    ],
)
def test_a_name_never_ends_its_header(name: str) -> None:
    """Quoted and percent-encoded; the extended form gives the name back."""
    header = disposition(name)
    assert header.isascii()
    assert not set("\r\n\0") & set(header)
    assert header.count('"') == 2
    assert unquote(header.partition("filename*=UTF-8''")[2]) == name
