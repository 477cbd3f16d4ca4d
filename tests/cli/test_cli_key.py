"""`duly key` and `duly audit`: at the database and through a server."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from command_under_test import Shell

from duly.model.access import KEY_PATTERN


@pytest.fixture(params=["database", "server"])
def at(request: pytest.FixtureRequest, shell: Shell, submit: Callable[..., Any]) -> Callable[..., Any]:
    """Runs a command at the database itself, or through a server."""
    if request.param == "server":
        url = request.getfixturevalue("server")
        return lambda *arguments: shell(*arguments, "--url", url)
    submit("greet", "name=Ann")  # makes the database
    return shell


def test_a_key_is_printed_once_and_alone(at: Callable[..., Any]) -> None:
    """KEY=$(duly key create …) is the key; the list has its name and not its secret."""
    said = at("key", "create", "reports", "--owner", "alice", "--scope", "tasks:read", "--days", "90")
    assert said.code == 0, said.err
    assert KEY_PATTERN.fullmatch(said.out.strip())
    listed = at("key", "list", "--json")
    [key] = [one for one in listed.json["keys"] if one["id"] == said.out.split("_")[2]]
    assert (key["name"], key["owner"], key["scopes"]) == ("reports", "alice", ["tasks:read"])
    assert said.out.split("_")[3] not in listed.out


def test_a_key_is_rotated_and_revoked_and_that_is_written_down(at: Callable[..., Any]) -> None:
    """A new secret for the same id; then it is over; the log says so."""
    first = at("key", "create", "ci", "--owner", "ci").out.strip()
    id_ = first.split("_")[2]
    second = at("key", "rotate", id_, "--hours", "0").out.strip()
    assert (second.split("_")[2], second != first) == (id_, True)
    assert at("key", "revoke", id_, "--json").json["revoked_at"]
    assert at("key", "rotate", id_).code != 0
    lines = [one for one in at("audit", "--json").json["lines"] if one["object"] == id_]
    done = [one["action"] for one in lines if one["status"] < 400]
    assert done == ["key.revoke", "key.rotate", "key.create"]
    assert re.search(r"key\.revoke", at("audit", "--action", "key.revoke").out)


@pytest.mark.parametrize(
    "words",
    [("--role", "root"), ("--scope", "all", "--owner", "a"), (), ("--owner", "a", "--scope", "admin")],
)
def test_a_key_that_makes_no_sense_is_one_line(at: Callable[..., Any], words: tuple[str, ...]) -> None:
    """Code 2, one line, no key."""
    said = at("key", "create", "x", *words)
    assert (said.code, len(said.problems), said.out) == (2, 1, "")


def test_a_token_may_have_a_role(shell: Shell, submit: Callable[..., Any]) -> None:
    """`duly token issue --role` says it; one that is none is refused."""
    submit("greet", "name=Ann")
    assert shell("token", "issue", "--user", "ann", "--role", "viewer").out.count(".") == 2
    assert shell("token", "issue", "--user", "ann", "--role", "root").code == 2
