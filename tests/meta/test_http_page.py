"""docs/en/http.md cannot drift: its curl lines run against a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import fuzz

PAGE = Path(__file__).parents[2] / "docs" / "en" / "http.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """$URL and $TOKEN of a server that knows `echo`."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not there")
    with fuzz.server(tmp_path_factory.mktemp("page"), task="echo") as (url, token):
        yield {**os.environ, "URL": url, "TOKEN": token}


@pytest.mark.parametrize("block", BLOCKS)
def test_what_the_page_shows_works(environment: dict[str, str], block: str) -> None:
    """Each line answers JSON; what is to fail fails in Chinese."""
    run = subprocess.run(["bash", "-euc", block], env=environment, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    decoder, text, answers = json.JSONDecoder(), run.stdout, []
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        answers.append(value)
        text = text.lstrip()[end:]
    assert len(answers) == block.count("curl ")
    for answer in answers:
        assert ("code" in answer) == ("problems" in block), answer


def test_the_page_has_examples() -> None:
    """Of every part that a reader copies first."""
    assert len(BLOCKS) >= 5
