"""What the command line changes at the database itself is in the audit log, as if a server had been asked."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any

import pytest
from command_under_test import APP, Shell

#: A command, and how its line calls what it did; `{id}` is a task's, `{made}` the id in the command's answer.
DONE = (
    (("queue", "pause", "default"), "queue.pause", "default"),
    (("queue", "resume", "default"), "queue.resume", "default"),
    (("queue", "purge", "default", "--yes"), "queue.purge", "default"),
    (("queue", "priority", "9", "{id}"), "tasks.move", ""),
    (("limit", "set", "queue/default", "--concurrency", "5"), "limit.put", "queue/default"),
    (("limit", "clear", "queue/default"), "limit.clear", "queue/default"),
    (("cancel", "{id}"), "task.cancel", "{id}"),
    (("retry", "{id}"), "task.retry", "{id}"),
    (("signal", "{id}", "go"), "task.signal", "{id}/go"),
    (("endpoint", "add", "https://example.org/hook", "--json"), "endpoint.create", "{made}"),
)


@pytest.fixture(params=["database", "server"])
def at(request: pytest.FixtureRequest, shell: Shell) -> Callable[..., Any]:
    """Runs a command at the database itself, or through a server; both in the server's folder."""
    url = request.getfixturevalue("server")
    more = ("--url", url) if request.param == "server" else ()
    return lambda *arguments: shell(*arguments, *more)


@pytest.mark.parametrize(("command", "action", "object_"), DONE, ids=[" ".join(one[0][:2]) for one in DONE])
def test_what_was_done_is_written_down(
    request: pytest.FixtureRequest,
    at: Callable[..., Any],
    shell: Shell,
    command: tuple[str, ...],
    action: str,
    object_: str,
) -> None:
    """One line: the action, what it was done to, and whom this machine knows as its user."""
    id_ = shell("submit", "greet", "name=Ann", "--app", APP, "--due", "3600", "--json").json["id"]
    if command[0] == "retry":
        shell("cancel", id_)
    said = at(*(word.format(id=id_) for word in command))
    assert said.code == 0, said.err
    made = said.json["id"] if "{made}" in object_ else ""
    [line] = shell("audit", "--action", action, "--limit", "1", "--json").json["lines"]
    assert line["object"] == object_.format(id=id_, made=made)
    if command[1] == "pause":
        shell("queue", "resume", "default")
    here = request.node.callspec.params["at"] == "database"
    assert (line["credential"] == "cli") is here
    if here:
        assert (line["owner"], line["role"]) == (getpass.getuser(), "admin")


def test_a_submission_is_written_down(shell: Shell, submit: Callable[..., Any]) -> None:
    """With the task's id."""
    task = submit("greet", "name=Ann")
    [line] = shell("audit", "--action", "task.submit", "--json").json["lines"]
    assert (line["object"], line["credential"]) == (task["id"], "cli")


def test_what_was_refused_at_the_database_leaves_no_line(shell: Shell, submit: Callable[..., Any]) -> None:
    """Nothing was done."""
    task = submit("greet", "name=Ann", "--due", "3600")
    assert shell("retry", task["id"]).code != 0
    assert shell("audit", "--action", "task.retry", "--json").json["lines"] == []


def test_a_prune_is_written_down(shell: Shell, submit: Callable[..., Any]) -> None:
    """With how many tasks it deleted; a dry run deletes none."""
    task = submit("greet", "name=Ann", "--due", "3600")
    shell("cancel", task["id"])
    shell("prune", "--dry-run", "--older-than", "0s")
    shell("prune", "--older-than", "0s")
    [line] = shell("audit", "--action", "tasks.prune", "--json").json["lines"]
    assert line["object"] == "1"
