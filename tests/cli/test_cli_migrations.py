"""`duly db` and `duly doctor` on each database: up, equal, down, up again, and what a wrong URL is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from duly.store import schema
from duly.store.driver import choose
from duly.store.migrate import HEAD
from support import servers

pytestmark = pytest.mark.migrates

Shell = Callable[..., Any]
ON_SERVERS = [pytest.param(kind, marks=pytest.mark.services) for kind in servers.KINDS]


@pytest.fixture(params=["sqlite", *ON_SERVERS])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database, which the settings name."""
    kind = request.param
    made = f"sqlite:///{tmp_path / 'duly.db'}" if kind == "sqlite" else servers.fresh_url(kind, "cli")
    monkeypatch.setenv("DULY_DATABASE_URL", made)
    return made


def tables(url: str) -> int:
    """How many of our tables are there."""
    driver = choose(url)
    quote = "`" if driver.dialect == "mariadb" else '"'  # blob is a word of MariaDB's
    found = 0
    with closing(driver.connect()) as connection:
        for table in schema.metadata.tables:
            try:
                connection.cursor().execute(f"SELECT 1 FROM {quote}{table}{quote} WHERE 1 = 0")  # noqa: S608
            except driver.module.Error:
                continue
            found += 1
    return found


def test_up_equal_down_and_up_again(shell: Shell, url: str) -> None:
    """What `upgrade` makes is what this version needs, and `downgrade base` leaves none of it."""
    assert shell("db", "check").out.startswith("fresh")
    assert shell("db", "upgrade").code == 0
    assert shell("db", "current").out.strip() == HEAD
    assert shell("db", "check").out.startswith("equal")
    assert tables(url) == len(schema.metadata.tables)
    assert shell("db", "downgrade", "base").code == 2  # not without --yes
    assert shell("db", "downgrade", "base", "--yes").code == 0
    assert tables(url) == 0
    assert shell("db", "upgrade").code == 0
    assert shell("db", "check").out.startswith("equal")


def test_doctor_names_the_engine(shell: Shell, url: str) -> None:
    """And finds nothing wrong with a fresh database."""
    said = shell("doctor", "--json")
    findings = {one["name"]: one for one in said.json["findings"]}
    assert findings["engine"]["state"] == "ok"
    assert findings["engine"]["text"].split()[0] in ("SQLite", "PostgreSQL", "MariaDB", "MySQL")
    assert findings["schema"]["state"] == "ok"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("postgresql://nobody@127.0.0.1:1/none", "cannot do it now"),
        ("mysql://root@127.0.0.1:1/none", "cannot do it now"),
        ("mysql://root@127.0.0.1", "write mysql://"),
        ("oracle://scott@host/db", "not supported"),
    ],
)
def test_a_database_that_is_not_there_is_one_line(shell: Shell, wrong: str, words: str) -> None:
    """No traceback, and no password."""
    said = shell("db", "current", "--database-url", wrong)
    assert said.code != 0
    assert words in said.problems[0]
    assert len(said.problems) == 1
