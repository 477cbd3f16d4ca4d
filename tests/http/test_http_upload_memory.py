"""A large upload passes through: the server's memory grows by a few parts of it, whatever its size."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import fuzz

MIB = 1_048_576
SIZE, MOST = 100 * MIB, 30 * MIB
CHUNK = bytes(range(256)) * (MIB // 256)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A server process: its address and its administrator's token."""
    with fuzz.server(tmp_path) as found:
        yield found


def resident(folder: Path) -> int:
    """The memory of all processes of the server, in bytes."""
    found = 0
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if (one / "cwd").resolve() == folder.resolve():
                found += int((one / "statm").read_text().split()[1]) * 4096
        except OSError:
            continue
    return found


def upload(served: tuple[str, str], size: int) -> dict[str, object]:
    address, token = served
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=100)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    headers["Content-Length"] = str(size)
    connection.request("POST", "/api/uploads", body=(CHUNK for _ in range(size // MIB)), headers=headers)
    return dict(json.loads(connection.getresponse().read()))


def test_a_large_upload_needs_little_memory(served: tuple[str, str], tmp_path: Path) -> None:
    """100 MiB add less than 30 MiB, at the highest that is seen while they pass."""
    upload(served, MIB)  # what any upload loads
    before, highest, over = resident(tmp_path), 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not over.wait(0.02):
            highest = max(highest, resident(tmp_path))

    watcher = threading.Thread(target=watch)
    watcher.start()
    told = upload(served, SIZE)
    over.set()
    watcher.join()
    digest = hashlib.sha256()
    for _ in range(SIZE // MIB):
        digest.update(CHUNK)
    assert (told["blob"], told["size"]) == (digest.hexdigest(), SIZE)
    assert before > 10 * MIB
    assert highest - before < MOST
