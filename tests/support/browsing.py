"""What walks through pages in a real browser have in common: the browser, who walks, what it complains of."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
PATIENCE_MS = 30_000
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
#: Language, light, width: a desk in English, a desk in Chinese at night, a phone.
WALKS = [("en-GB", "light", 1200), ("zh-CN", "dark", 1200), ("zh-CN", "light", 390)]
#: What the page itself hears of its policy being broken, kept where the test finds it.
WATCH = """window.broken = [];
addEventListener("securitypolicyviolation", (said) => broken.push(said.violatedDirective));"""


def needed() -> str:
    """The browser; a skip with its reason where there is none, a failure where there must be one."""
    if CHROMIUM is None and os.environ.get("DULY_REQUIRE_SERVICES") == "1":
        pytest.fail("chromium is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    return CHROMIUM


@dataclass
class Server:
    """A server of its own process in a folder of its own."""

    url: str
    token: str


def fits(page: Any) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
