"""What the walks in a browser share: the browser, a server, signing in, and what counts as a complaint."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=needed(), args=FLAGS)
        yield one
        one.close()


#: A wrong token and a forged request are refused on purpose; the browser says so as well.
REFUSALS = ("401", "403")


@contextmanager
def context(
    browser: Any, server: Server, walk: tuple[str, str, int], *, forgiven: tuple[str, ...] = REFUSALS
) -> Iterator[Any]:
    """A new browser; whatever one of its pages complains of fails the test, but for what is forgiven."""
    language, light, width = walk
    complaints: list[str] = []
    one = browser.new_context(
        locale=language, color_scheme=light, viewport={"width": width, "height": 800}, base_url=server.url
    )
    one.set_default_timeout(PATIENCE_MS)
    one.add_init_script(WATCH)
    one.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    one.on("weberror", lambda error: complaints.append(str(error.error)))
    yield one
    broken = [page.evaluate("broken") for page in one.pages]
    one.close()
    assert [text for text in complaints if not any(one in text for one in forgiven)] == []
    assert [each for each in broken if each] == []


def sign_in(page: Any, token: str) -> None:
    page.goto("/")
    page.fill("input[name=token]", token)
    page.click("button.main")


def fits(page: Any) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
