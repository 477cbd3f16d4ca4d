"""The bad-input matrix: whatever is sent as a body, the answer is the right problem, never a crash."""

from __future__ import annotations

from typing import Any

import pytest
from site_under_test import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")

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
async def test_a_bad_body_is_a_problem(shared: Site, path: str, body: bytes, status: int, code: str) -> None:
    """Each body of the matrix is refused with its status and code, on our routes and on an app's."""
    async with shared.user("ann") as ann:
        answer = await ann.post(path, content=body, headers={"Content-Type": JSON})
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/jsonx", "application/json; charset=gbk", "",
     "json", "*/*", "application/x-www-form-urlencoded", "application/problem+json"],
)  # fmt: skip
async def test_another_content_type_is_415(shared: Site, content_type: str) -> None:
    """JSON is application/json in UTF-8 only: a foreign page cannot send that without asking first."""
    async with shared.user("ann") as ann:
        headers = {"Content-Type": content_type}
        answer = await ann.post("/api/tasks", content=b'{"task_type":"echo"}', headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"task_type": "nobody"},
        {"task_type": 5},
        {"task_type": "echo", "input": []},
        {"task_type": "echo", "input": "text"},
        {"task_type": "picky", "input": {}},
        {"task_type": "picky", "input": {"name": "a", "more": 1}},
        {"task_type": "echo", "priority": 11},
        {"task_type": "echo", "priority": True},
        {"task_type": "echo", "priority": "5"},
        {"task_type": "echo", "priority": 5.5},
        {"task_type": "echo", "max_retries": -1},
        {"task_type": "echo", "timeout": 0},
        {"task_type": "echo", "timeout": 1e300},
        {"task_type": "echo", "due": "tomorrow"},
        {"task_type": "echo", "due": "2030-01-01T00:00:00"},
        {"task_type": "echo", "due": "9999999-01-01"},
        {"task_type": "echo", "due": 1e300},
        {"task_type": "echo", "deadline": "2001-01-01T00:00:00Z"},
        {"task_type": "echo", "unique": ""},
        {"task_type": "echo", "unique": "a\nb"},
        {"task_type": "echo", "tags": "a"},
        {"task_type": "echo", "tags": [1]},
        {"task_type": "echo", "tags": ["a"] * 21},
        {"task_type": "echo", "metadata": []},
        {"task_type": "echo", "deliver": ["ftp://x"]},
        {"task_type": "echo", "deliver": [{"channel": "pigeon"}]},
        {"task_type": "echo", "deliver": [{"channel": "inbox", "more": 1}]},
        {"task_type": "echo", "deliver": [5]},
        {"task_type": "echo", "queue": "a b"},
        {"task_type": "echo", "queue": "q" * 65},
        {"task_type": "echo", "idempotency_key": ""},
        {"task_type": "echo", "idempotency_key": "k" * 201},
        [{"task_type": "echo"}],
        "echo",
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(shared: Site, body: Any) -> None:
    """Each wrong value is a 422 problem, and nothing is accepted."""
    async with shared.user("bea") as bea:
        answer = await bea.post("/api/tasks", json=body)
        assert (answer.status_code, answer.json()["status"]) == (422, 422), answer.text
        assert (await bea.get("/api/tasks")).json()["tasks"] == []
