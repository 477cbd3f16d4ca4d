"""The pages and their files: open to read, strict about what they may load, and nothing else is served."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from site_under_test import Site

from duly import Duly


def static(text: str) -> str:
    """The address of the static files that a page names."""
    found = re.search(r'href="((?:\.\./)*\.?/?static/[0-9a-f]{16})/style\.css"', text)
    assert found is not None, text
    return found[1]


async def test_the_page_is_open_and_strict(site: Site) -> None:
    """Without credentials; no inline script, no foreign source, no frame."""
    async with site.client() as nobody:
        answer = await nobody.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'"} <= set(policy)
    assert not any("unsafe" in one or "*" in one for one in policy)
    assert answer.headers["cache-control"] == "no-cache"
    assert re.search(r"<script(?![^>]*\bsrc=)|style=|\bon[a-z]+=", answer.text) is None


async def test_files_are_kept_for_ever_under_their_version(site: Site) -> None:
    """A module has a module's type; another version's address is not answered with today's file."""
    async with site.client() as nobody:
        base = static((await nobody.get("/")).text).lstrip(".")
        answer = await nobody.get(f"{base}/vendor/preact.js")
        other = await nobody.get("/static/0123456789abcdef/app.js")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    assert (other.status_code, other.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "../__init__.py",
        "%2e%2e/__init__.py",
        "..%2f__init__.py",
        "index.html",
        "",
        "vendor",
        "/etc/passwd",
        "a\\b",
    ],
)
async def test_nothing_else_is_served(site: Site, path: str) -> None:
    """What is served is a list, not a folder."""
    async with site.client() as nobody:
        base = static((await nobody.get("/")).text).lstrip(".")
        assert (await nobody.get(f"{base}/{path}")).status_code == 404


async def test_an_app_brings_pages(site: Site, tmp_path: Path) -> None:
    """They stand in the same shell, and in the menu."""
    (tmp_path / "index.js").write_text("import { mount } from '../../shell.js';\n")
    site.app.declared.pages("shop", tmp_path, title="Shop", title_zh="商店")
    async with Site(site.app).admin as admin:
        page = await admin.get("/apps/shop/")
        module = await admin.get(f"{static(page.text).removeprefix('../..')}/apps/shop/index.js")
        listed = await admin.get("/api/apps")
    assert static(page.text).startswith("../../static/")
    assert "/apps/shop/index.js" in page.text
    assert module.text.startswith("import { mount }")
    assert listed.json() == {"apps": [{"name": "shop", "title": "Shop", "title_zh": "商店"}]}


def test_pages_need_a_name_and_a_module(tmp_path: Path) -> None:
    """It is told where they are declared, not when somebody opens them."""
    with pytest.raises(ValueError, match=r"index\.js"):
        Duly().pages("shop", tmp_path, title="Shop")
    (tmp_path / "index.js").touch()
    with pytest.raises(ValueError, match="lower-case"):
        Duly().pages("../shop", tmp_path, title="Shop")


def test_pages_come_with_the_set_that_is_included(tmp_path: Path) -> None:
    """As its routes do."""
    (tmp_path / "index.js").touch()
    shop, whole = Duly(), Duly()
    shop.pages("shop", tmp_path, title="Shop")
    whole.include(shop)
    assert whole.app_pages["shop"].title_zh == "Shop"
