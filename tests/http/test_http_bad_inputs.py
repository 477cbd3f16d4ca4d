"""The bad inputs of tests/data/bad_inputs.json, sent to a real server: each is refused as it should be."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fuzz

DATA = Path(__file__).parents[1] / "data" / "bad_inputs.json"
CASES = json.loads(DATA.read_text("utf-8"))["cases"]
CHUNK = 65_536

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server process: its address and its administrator's token."""
    with fuzz.server(tmp_path_factory.mktemp("bad")) as found:
        yield found


def body_of(case: Any) -> bytes:
    if "body_base64" in case:
        return base64.b64decode(case["body_base64"])
    parts = case.get("body_parts", [[case.get("body", ""), 1]])
    return "".join(text * times for text, times in parts).encode()


def sent(served: tuple[str, str], case: Any) -> tuple[int, str, bytes]:
    """The answer, byte for byte as the case says."""
    address, token = served
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    path, body = case["path"], body_of(case)
    if "query_repeat" in case:
        path += "?" + case["query_repeat"][0] * case["query_repeat"][1]
    try:
        connection.putrequest(case["method"], path, skip_accept_encoding=True)
        for name, value in {**case["headers"], "Authorization": f"Bearer {token}"}.items():
            connection.putheader(name, value.encode("utf-8"))
        for number in range(case.get("headers_many", 0)):
            connection.putheader(f"X-{number}", "x")
        if "header_repeat" in case:
            name, text, times = case["header_repeat"]
            connection.putheader(name, text * times)
        if case.get("chunked"):
            connection.putheader("Transfer-Encoding", "chunked")
        else:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        _send(connection, body, chunked=bool(case.get("chunked")))
        answer = connection.getresponse()
        return answer.status, answer.getheader("content-type", ""), _read(answer)
    finally:
        connection.close()


def _send(connection: http.client.HTTPConnection, body: bytes, *, chunked: bool) -> None:
    """The body, as far as the server takes it."""
    try:
        for start in range(0, len(body), CHUNK):
            part = body[start : start + CHUNK]
            connection.send(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        if chunked:
            connection.send(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        return  # it has answered already


def _read(answer: http.client.HTTPResponse) -> bytes:
    """The body, unless the server has hung up on what it did not want to read."""
    try:
        return answer.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_bad_input_is_refused_as_it_should_be(served: tuple[str, str], case: Any) -> None:
    """With one of the case's statuses, never a 500; what the API itself refuses is a problem."""
    status, kind, body = sent(served, case)
    assert status in case["status"], (status, body[:300])
    if status >= 400 and kind != "text/plain; charset=utf-8":  # what is not even HTTP is the server's own
        assert kind == "application/problem+json"
        assert json.loads(body)["status"] == status
