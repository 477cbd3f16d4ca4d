"""The two desks are one interface: what the database answers, the server answers in the same shape."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, Shell

Submit = Callable[..., dict[str, Any]]


def shape(value: Any) -> Any:
    """A value's keys and kinds, without what it says."""
    match value:
        case dict():
            return {name: shape(one) for name, one in value.items()}
        case list():
            return [shape(one) for one in value]
        case bool() | int() | float():
            return "number"
    return type(value).__name__


READING = (("show", "{id}"), ("ls",), ("stats",), ("why", "{id}"), ("cancel", "{id}"))


def test_both_desks_answer_in_the_same_shape(shell: Shell, server: str) -> None:
    """Every reading command prints the same document, here or there."""
    end = shell(
        "submit", "greet", "name=Ann", "--app", APP, "--deliver", "inbox", "--wait", "--json"
    ).out.splitlines()[-1]
    id_ = end.split('"id": "')[1][:36]
    while shell("show", id_, "--json").json["deliveries"][0]["status"] != "delivered":
        pass  # each look takes a while; nothing changes after it
    for command in READING:
        arguments = [one.format(id=id_) for one in command]
        here = shell(*arguments, "--json").json
        there = shell(*arguments, "--json", "--url", server).json
        assert shape(there) == shape(here), command


def test_both_desks_tell_the_same_events(shell: Shell, server: str) -> None:
    """Followed here or there, a task's events have the same numbers, types and data."""
    said = shell("submit", "greet", "name=Ann", "times=3", "--app", APP, "--wait", "--json").out
    id_ = said.splitlines()[-1].split('"id": "')[1][:36]
    assert shell("watch", id_, "--json").out == shell("watch", id_, "--json", "--url", server).out


def test_both_desks_refuse_in_the_same_words(shell: Shell, server: str) -> None:
    """What is wrong with a submission reads the same."""
    for arguments in (("nope",), ("greet",), ("greet", "name=Ann", "--priority", "11")):
        here = shell("submit", *arguments, "--app", APP)
        there = shell("submit", *arguments, "--url", server)
        assert (here.code, here.err) == (there.code, there.err)


def test_the_environment_may_name_the_server(
    shell: Shell, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DULY_URL and DULY_TOKEN replace the flags; a wrong token is one line that says what to set."""
    monkeypatch.setenv("DULY_URL", server)
    assert shell("stats").code == 0
    monkeypatch.setenv("DULY_TOKEN", "wrong")
    said = shell("stats")
    assert (said.code, len(said.problems)) == (2, 1)
    assert "DULY_TOKEN" in said.problems[0]


def test_a_user_sees_his_own_tasks_only(shell: Shell, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an issued token the server lists what that user submitted."""
    shell("submit", "later", "--app", APP, "--owner", "alice")
    token = shell("token", "issue", "--user", "bob", "--hours", 1).out.strip()
    monkeypatch.setenv("DULY_TOKEN", token)
    monkeypatch.setenv("DULY_URL", server)
    assert shell("ls", "--json").json["tasks"] == []
    assert shell("submit", "later", "--json").json["owner"] == "bob"


def test_over_http_a_file_is_kept_by_the_server(shell: Shell, server: str, tmp_path: Path) -> None:
    """`--file` uploads here and there; the task's input names the same content."""
    (tmp_path / "a.pdf").write_bytes(b"x")
    here = shell("submit", "keep", "--file", tmp_path / "a.pdf", "--app", APP, "--wait", "--json")
    there = shell("submit", "keep", "--file", tmp_path / "a.pdf", "--url", server, "--wait", "--json")
    ends = [json.loads(said.out.splitlines()[-1]) for said in (here, there)]
    assert ends[0]["result"] == ends[1]["result"]
