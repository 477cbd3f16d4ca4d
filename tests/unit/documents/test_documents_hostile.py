"""Every hostile file ends in one clear word, in time and in bounds, and the next file is read."""

import json
import os
import resource
import time

import pytest

from duly.documents import DocumentError, read
from support.hostile import FILES, page

SECONDS, BYTES = 20.0, 1024 * 1024 * 1024
QUICK = {
    *("docx with macros", "a directory that lies", "one harmless entity", "an address", "script only"),
    *("a string that is not there", "pages in a circle", "lists in lists", "a picture of 3.6 billion points"),
}


def apart(data: bytes, filename: str) -> tuple[str, float, int]:
    """How reading it ends, after how many seconds, and the bytes of its largest process: asked in a fork,
    which knows of no other children than its own."""
    here, there = os.pipe()
    if (child := os.fork()) == 0:
        started = time.monotonic()
        try:
            end = "read" if read(data, filename) else ""
        except DocumentError as error:
            end = error.code
        except BaseException as error:  # noqa: BLE001 - the fork must not go on with the tests
            end = repr(error)
        largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        os.write(there, json.dumps([end, time.monotonic() - started, largest]).encode())
        os._exit(0)
    os.close(there)
    with os.fdopen(here, "rb") as told:
        end, took, largest = json.loads(told.read())
    os.waitpid(child, 0)
    return end, took, largest


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FILES]
)
def test_a_hostile_file_ends_in_a_clear_error(name: str) -> None:
    """Its code is one that we named beforehand; it took less than 20 s and 1 GB."""
    filename, build, expected = FILES[name]
    data = build()
    end, took, largest = apart(data, filename)
    assert end in expected, (end, took)
    assert (took < SECONDS, largest < BYTES) == (True, True), (took, largest)
    assert len(data) < 4_000_000 or name.startswith("six million"), len(data)


def test_the_next_file_is_read() -> None:
    """After a file that broke its process, a good one is read by the next."""
    filename, build, _ = FILES["lists in lists"]
    with pytest.raises(DocumentError):
        read(build(), filename)
    assert read(page("Still here"), "b.pdf").text == "Still here"
