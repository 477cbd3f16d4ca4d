"""doctor, db, token, version, serve: the installation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, Shell

Submit = Callable[..., dict[str, Any]]


def test_doctor_names_every_problem_at_once(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong settings in file, environment and flags, a bad token file and a missing module: one line each."""
    (folder / "duly.toml").write_text('colour = "red"\nport = "abc"\n')
    (folder / "duly.token").write_text("token=x\n")
    (folder / "duly.token").chmod(0o600)
    monkeypatch.setenv("DULY_LEASE", "1")
    monkeypatch.setenv("DULY_QUEUE", "x")
    said = shell("doctor", "--app", "nowhere:duly", "--apps", "nope")
    assert said.code == 2
    lines = "\n".join(said.problems)
    for problem in (
        "unknown setting 'colour'",
        "port = 'abc'",
        "renew (10 s) must be at most half of lease (1 s)",
        "DULY_QUEUE",
        "duly.token lacks jwt_secret, webhook_secret",
        "there is no module 'nowhere'",
        "there is no bundled app 'nope'",
    ):
        assert lines.count(problem) == 1, problem


def test_doctor_masks_passwords(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the database's URL is shown nowhere."""
    monkeypatch.setenv("DULY_DATABASE_URL", "postgresql://duly:hunter2@db/duly")
    said = shell("doctor", "--json")
    assert said.code == 2
    assert "hunter2" not in said.out + said.err


def test_doctor_shows_each_setting_with_its_source(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, variable, flag and default are told apart."""
    (folder / "duly.toml").write_text("threads = 3\n")
    monkeypatch.setenv("DULY_PORT", "8123")
    seen = {one["name"]: one for one in shell("doctor", "--app", APP, "--json").json["settings"]}
    sources = [seen[name]["source"] for name in ("threads", "port", "app", "host")]
    assert sources == ["duly.toml", "DULY_PORT", "--app", "default"]


def test_doctor_tells_footing_handlers_and_workers(shell: Shell, server: str) -> None:
    """Journal mode, schema, task types with their lanes, and the living worker are there."""
    seen = shell("doctor", "--app", APP, "--json").json
    told = {finding["name"]: finding["text"] for finding in seen["findings"]}
    assert seen["problems"] == []
    assert "FULL" in told["engine"]
    assert told["schema"].startswith("revision")
    assert {kind["name"]: kind["lane"] for kind in seen["task_types"]}["later"] == "thread"
    assert {kind["name"]: kind["versions"] for kind in seen["task_types"]}["greet"] == ["3", "2"]
    assert [worker["queues"] for worker in seen["workers"]] == ["default"]
    assert "queues default, with greet@2, greet@3" in shell("doctor", "--app", APP).out


def test_doctor_on_an_empty_folder_finds_no_problem(shell: Shell, folder: Path) -> None:
    """What the first start makes is a note, and doctor makes nothing itself."""
    said = shell("doctor")
    assert (said.code, said.err) == (0, "")
    assert list(folder.iterdir()) == []


def test_db_goes_from_fresh_to_equal_and_back(shell: Shell) -> None:
    """check says fresh, upgrade makes the tables, check says equal, downgrade takes them away."""
    assert shell("db", "check").out.startswith("fresh")
    assert shell("db", "upgrade").code == 0
    assert shell("db", "check").out.startswith("equal")
    assert shell("db", "current").out.strip() == shell("db", "check", "--json").json["needed"]
    assert shell("db", "downgrade", "base", "--yes").code == 0
    assert shell("db", "check").out.startswith("fresh")


def test_db_downgrade_asks_for_yes(shell: Shell) -> None:
    """Without --yes nothing is changed, and the line says what is at stake."""
    shell("db", "upgrade")
    said = shell("db", "downgrade", "base")
    assert (said.code, len(said.problems)) == (2, 1)
    assert "--yes" in said.problems[0]
    assert shell("db", "check").out.startswith("equal")


def test_db_check_finds_a_missing_table(shell: Shell, folder: Path) -> None:
    """A table that is gone makes the database different, with exit code 2."""
    shell("db", "upgrade")
    from duly.store import sqlite

    connection = sqlite.connect(folder / "duly.db", "WAL")
    connection.execute("DROP TABLE notification")
    connection.close()
    said = shell("db", "check", "--json")
    assert (said.code, said.json["verdict"]) == (2, "different")
    assert any("notification" in one for one in said.json["differences"])
    assert shell("doctor").code == 2


def test_db_upgrade_to_a_revision_that_is_none_is_one_line(shell: Shell) -> None:
    """The revision that cannot be found is named."""
    said = shell("db", "upgrade", "9999")
    assert (said.code, len(said.problems)) == (2, 1)
    assert "9999" in said.problems[0]


def test_serve_says_where_before_it_starts(shell: Shell, server: str) -> None:
    """The first line has the address, and the token that it names opens it."""
    assert server.startswith("http://127.0.0.1:")
    assert shell("stats", "--url", server).code == 0


def test_a_token_is_for_a_user_who_has_a_name(shell: Shell, submit: Submit) -> None:
    """An empty user is refused in one line."""
    submit("later")
    said = shell("token", "issue", "--user", "")
    assert (said.code, len(said.problems)) == (2, 1)


def test_the_token_alone_is_printed(shell: Shell, submit: Submit, folder: Path) -> None:
    """`curl -H "Authorization: Bearer $(duly token)"` works as the README says: the place goes to stderr."""
    submit("later")
    said = shell("token")
    assert (said.code, said.out.splitlines()) == (0, [shell("token", "--json").json["token"]])
    assert said.err == "duly.token\n"


def test_a_new_database_is_for_its_owner_only(shell: Shell, folder: Path) -> None:
    """Inputs and results are nobody else's, like the token; a mode that the owner gave it is kept."""
    assert shell("db", "upgrade").code == 0
    assert (folder / "duly.db").stat().st_mode & 0o777 == 0o600
    (folder / "duly.db").chmod(0o640)
    assert shell("db", "check").code == 0
    assert (folder / "duly.db").stat().st_mode & 0o777 == 0o640


def test_a_token_file_that_is_none_is_one_line(shell: Shell, folder: Path) -> None:
    """Bytes that are not text are named as what they are not."""
    (folder / "duly.token").write_bytes(b"\xff\xfe")
    said = shell("token")
    assert (said.code, said.problems) == (2, ["duly.token is not a token file; move it away and start again"])
