"""Everything a user can get wrong is one readable line on stderr and exit code 2."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, Shell

GREET = ("submit", "greet", "name=Ann", "--app", APP)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("submit",), "Missing argument 'TYPE'"),
        (("submit", "nope", "--app", APP), "unknown task type 'nope'; known: break, greet, keep, later"),
        (("submit", "greet"), "--apps NAME"),
        (("submit", "greet", "--app", APP), "missing a required argument: 'name'"),
        (("submit", "greet", "nam=Ann", "--app", APP), "does not fit its handler"),
        (("submit", "greet", "Ann", "--app", APP), "'Ann' is not key=value"),
        (("submit", "greet", "--app", "nowhere:duly"), "there is no module 'nowhere'"),
        (("submit", "greet", "--app", "json:loads"), "not a Duly object"),
        (("submit", "greet", "--apps", "nope"), "there is no bundled app 'nope'"),
        ((*GREET, "--priority", "11"), "priority must be 1..10, not 11"),
        ((*GREET, "--priority", "high"), "Invalid value for '--priority'"),
        ((*GREET, "--max-retries", "-1"), "max_retries must be 0..100"),
        ((*GREET, "--timeout", "0"), "timeout must be more than 0"),
        ((*GREET, "--timeout", "nan"), "timeout must be more than 0"),
        ((*GREET, "--due", "tomorrow"), "due is not an ISO 8601 moment"),
        ((*GREET, "--due", "2030-01-01T00:00:00"), "no time zone"),
        ((*GREET, "--due", "inf"), "'inf' is no moment"),
        ((*GREET, "--deadline", "-5"), "deadline lies in the past"),
        ((*GREET, "--metadata", "[]"), "--metadata must be a JSON object, not list"),
        ((*GREET, "--deliver", "ftp://host"), "http:// or https://"),
        ((*GREET, "--tag", "x" * 65), "a tag must be text of at most 64 characters"),
        ((*GREET, "--idempotency-key", ""), "idempotency_key must not be empty"),
        ((*GREET, "--input", '{"name": "Bob"}'), "the input 'name' is given twice"),
        ((*GREET, "--file", "missing.pdf"), "there is no file missing.pdf"),
        ((*GREET, "--file", "."), "there is no file ."),
        ((*GREET, "--wait=soon"), "Invalid value for '--wait'"),
        (("submit", "greet", "name=NaN", "--app", APP), "NaN is not a JSON number"),
        (("submit", "greet", "--input", '{"name": NaN}', "--app", APP), "NaN is not a JSON number"),
        (("submit", "greet", "--input", '{"name": 1', "--app", APP), "--input: not JSON"),
        (("submit", "greet", "--input", '{"a":1,"a":2}', "--app", APP), "the key 'a' stands twice"),
        (("submit", "greet", "--input", "@missing.json", "--app", APP), "missing.json: No such file"),
        (("submit", "greet", "--input", "@.", "--app", APP), "Is a directory"),
        (("ls",), "there is no database duly.db"),
        (("show", "12345678"), "there is no database duly.db"),
        (("ls", "--limit", "0"), "Invalid value for '--limit'"),
        (("ls", "--lang", "fr"), "Invalid value for '--lang'"),
        (("ls", "--database-url", "sqlite:///nowhere/duly.db"), "there is no database nowhere/duly.db"),
        (("ls", "--database-url", "redis://localhost"), "'redis' is not supported"),
        (("ls", "--database-url", "sqlite:///:memory:"), "needs a file"),
        (("ls", "--url", "localhost:8000"), "begins with http:// or https://"),
        (("ls", "--url", "http://127.0.0.1:1"), "is `duly serve` running there?"),
        (("ls", "--url", "http://h", "--database-url", "sqlite:///d"), "name two places"),
        (("serve", "--port", "99999"), "--port: port = 99999"),
        (("serve", "--auth", "none"), "--auth: auth = 'none'"),
        (("serve", "--auth", "loopback", "--host", "0.0.0.0"), "must be a loopback address"),
        (
            ("serve", "--database-url", "sqlite:///nowhere/duly.db", "--port", "0"),
            "there is no folder nowhere",
        ),
        ((*GREET, "--database-url", "sqlite:///nowhere/duly.db"), "there is no folder nowhere"),
        (("worker", "--concurrency", "0"), "--concurrency: concurrency = 0"),
        (("serve", "--app", "nowhere:duly", "--port", "0"), "there is no module 'nowhere'"),
        (("serve", "--port", "0", "--log-file", "nowhere/a.log"), "nowhere/a.log: No such file"),
        (("worker", "--apps", "nope"), "there is no bundled app 'nope'"),
        (("worker", "--queues", ","), "queues must name at least one queue"),
        (("demo", "--file", "missing.pdf"), "there is no file missing.pdf"),
        (("token",), "there is no token file duly.token"),
        (("token", "issue"), "Missing option '--user'"),
        (("db", "downgrade", "base"), "there is no database duly.db"),
        (("db", "current"), "there is no database duly.db"),
        (("db", "check", "--database-url", "sqlite:///nowhere/duly.db"), "there is no folder nowhere"),
        (("ls", "--colour"), "No such option: --colour"),
    ],
)
def test_a_wrong_call_is_one_line(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    """The line names what is wrong; nothing was done."""
    answer = shell(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.problems) == 1
    assert said in answer.problems[0]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DULY_ENGINE": "rabbit"}, "DULY_ENGINE: engine = 'rabbit'"),
        ({"DULY_ENGINE": "celery", "DULY_BROKER_URL": "localhost"}, "broker_url must begin with amqp://"),
        ({"DULY_ENGINE": "celery"}, "--once runs tasks here"),
    ],
)
def test_a_wrong_engine_is_one_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    """Also where each setting by itself is right."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    answer = shell("worker", "--once", "--app", APP)
    assert (answer.code, answer.out) == (2, "")
    assert len(answer.problems) == 1
    assert said in answer.problems[0]


def test_an_empty_upload_is_refused(shell: Shell, folder: Path) -> None:
    """A document without a byte is not accepted as a task."""
    (folder / "empty.pdf").touch()
    said = shell("submit", "keep", "--file", "empty.pdf", "--app", APP)
    assert (said.code, said.problems) == (2, ["empty.pdf is empty"])


def test_an_empty_document_starts_no_demo(shell: Shell, folder: Path) -> None:
    """The demo looks at its document before it starts anything."""
    (folder / "empty.pdf").touch()
    said = shell("demo", "--file", "empty.pdf")
    assert (said.code, said.problems) == (2, ["--file: empty.pdf is empty"])


def test_an_upload_over_the_limit_is_named_with_the_setting(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line says which setting holds the limit."""
    (folder / "large.bin").write_bytes(bytes(2000))
    monkeypatch.setenv("DULY_UPLOAD_LIMIT", "1024")
    said = shell("submit", "keep", "--file", "large.bin", "--app", APP)
    assert (said.code, said.problems) == (2, ["large.bin is larger than 1024 bytes (upload_limit)"])


def test_settings_are_all_told_at_once(shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt name in the file, one in the environment and a wrong flag are three lines."""
    (folder / "duly.toml").write_text('colour = "red"\n')
    monkeypatch.setenv("DULY_QUEUE", "default")
    said = shell("serve", "--port", "-1")
    assert said.code == 2
    assert [line.split(":")[0] for line in said.problems] == ["duly.toml", "DULY_QUEUE", "--port"]
    assert "did you mean 'queues'?" in said.problems[1]


def test_a_file_of_settings_that_is_not_toml_is_one_line(shell: Shell, folder: Path) -> None:
    """A broken duly.toml is named, with the place."""
    (folder / "duly.toml").write_text("port = \n")
    said = shell("ls")
    assert said.code == 2
    assert said.problems[0].startswith("duly.toml: not TOML")


def test_a_token_file_that_others_can_read_is_refused(
    shell: Shell, folder: Path, submit: Callable[..., Any]
) -> None:
    """The line is the command that mends it."""
    submit("greet", "name=Ann")
    (folder / "duly.token").chmod(0o644)
    said = shell("token")
    assert (said.code, len(said.problems)) == (2, 1)
    assert said.problems[0].endswith("run: chmod 600 duly.token")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_token_file_that_cannot_be_read_is_one_line(
    shell: Shell, folder: Path, submit: Callable[..., Any]
) -> None:
    """A file of another user is no traceback."""
    submit("greet", "name=Ann")
    (folder / "duly.token").chmod(0)
    said = shell("token")
    assert (said.code, len(said.problems)) == (2, 1)


def test_a_token_file_that_is_a_folder_is_one_line(shell: Shell, folder: Path) -> None:
    """What cannot be read as a file is told, not thrown."""
    (folder / "duly.token").mkdir()
    said = shell("token")
    assert (said.code, said.problems) == (2, ["duly.token: Is a directory"])


def test_a_port_in_use_is_one_line_before_anything_starts(shell: Shell) -> None:
    """`duly serve` says which port is taken, and how to take another."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = shell("serve", "--port", taken.getsockname()[1])
    assert (said.code, said.out, len(said.problems)) == (2, "", 1)
    assert "Address already in use" in said.problems[0]
    assert "--port" in said.problems[0]


def test_a_file_that_is_no_database_is_one_line(shell: Shell, folder: Path) -> None:
    """Another file under the database's name is left as it is."""
    (folder / "duly.db").write_text("not a database, but long enough to look like one " * 40)
    said = shell("ls")
    assert (said.code, len(said.problems)) == (2, 1)
    assert "not a database" in said.problems[0]


def test_a_database_of_another_revision_is_one_line(
    shell: Shell, folder: Path, submit: Callable[..., Any]
) -> None:
    """The line names the command that brings it up."""
    submit("greet", "name=Ann")
    from duly.store import sqlite

    connection = sqlite.connect(folder / "duly.db", "WAL")
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    for command in ("ls", "worker"):
        said = shell(command)
        assert (said.code, len(said.problems)) == (2, 1)
        assert "duly db upgrade" in said.problems[0]


@pytest.mark.parametrize("end", ["12345", "00000000", "0" * 36])
@pytest.mark.parametrize("command", ["show", "watch", "why", "cancel", "retry"])
def test_an_id_that_is_none_is_one_line(
    shell: Shell, submit: Callable[..., Any], command: str, end: str
) -> None:
    """Too short, unknown as an end, unknown as a whole: each is told."""
    submit("greet", "name=Ann")
    said = shell(command, end)
    assert (said.code, said.out, len(said.problems)) == (2, "", 1)
    assert end in said.problems[0]
