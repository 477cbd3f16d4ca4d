"""Queues and failed tasks on the command line, at the database and through a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from command_under_test import APP, Shell

from duly.cli import bulk, queue

Submit = Callable[..., dict[str, Any]]
Work = Callable[[], None]


def test_a_paused_queue_is_not_worked_on(shell: Shell, submit: Submit, work: Work) -> None:
    """Until it is resumed; meanwhile list, why and doctor say so."""
    id_ = submit("greet", "name=Ann")["id"]
    said = shell("queue", "pause", "default", "--by", "ann", "--reason", "the model is down")
    assert said.out.strip() == "default is paused: no task of it starts; 0 still run"
    work()
    assert shell("show", id_, "--json").json["task"]["status"] == "pending"
    assert "ann: the model is down" in shell("queue", "ls").out
    assert "was paused by ann" in shell("why", id_).out
    assert "已由 ann 暂停" in shell("why", id_, "--lang", "zh").out
    assert "paused: default" in shell("doctor", "--app", APP).out
    assert "is open" in shell("queue", "resume", "default").out
    work()
    assert shell("show", id_, "--json").json["task"]["status"] == "completed"


def test_queues_read_well(shell: Shell, submit: Submit) -> None:
    """A row each, and no column in which nobody stands."""
    submit("greet", "name=Ann")
    submit("greet", "name=Ann", "--queue", "slow")
    shell("queue", "pause", "slow", "--by", "ann")
    head, first, second = shell("queue", "ls").out.splitlines()
    assert head.split() == ["queue", "state", "pending", "note"]
    assert first.split() == ["default", "open", "1"]
    assert second.split() == ["slow", "paused", "1", "ann"]
    assert shell("queue", "ls", "--lang", "zh").out.splitlines()[2].split()[1] == "已暂停"


def test_no_queue_is_a_sentence(shell: Shell, submit: Submit) -> None:
    """Where there is no row, there is no table."""
    shell("cancel", submit("later")["id"])
    assert shell("queue", "ls").out.startswith("No queue yet")


def test_a_drain_of_what_is_at_rest_ends_at_once(shell: Shell, submit: Submit) -> None:
    """The queue is paused, and nothing of it runs."""
    submit("greet", "name=Ann")
    said = shell("queue", "drain", "default")
    assert (said.code, said.out.strip()) == (0, "default is paused, and nothing of it runs")
    assert shell("queue", "ls", "--json").json["queues"][0]["paused"] is True


class Counting:
    """A desk whose queue has so many running tasks, look after look."""

    def __init__(self, *counts: int) -> None:
        self._left = list(counts)

    async def pause(self, name: str, words: dict[str, Any]) -> dict[str, Any]:
        return await self.get(name)

    async def get(self, name: str) -> dict[str, Any]:
        now = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        return {"name": name, "tasks": {"running": now}}


def test_a_drain_tells_how_many_still_run(
    shell: Shell, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new count once, and at the end that it is done."""
    submit("greet", "name=Ann")
    fake = Counting(3, 3, 1, 0)
    monkeypatch.setattr(queue, "LOOK_SECONDS", 0)
    monkeypatch.setattr("duly.cli.local.LocalQueues.pause", lambda _, *given: fake.pause(*given))
    monkeypatch.setattr("duly.cli.local.LocalQueues.get", lambda _, name: fake.get(name))
    lines = shell("queue", "drain", "default").out.splitlines()
    assert lines == ["3 still run", "1 still run", "default is paused, and nothing of it runs"]


def test_a_drain_that_takes_too_long_says_so(
    shell: Shell, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3; the queue stays paused."""
    submit("greet", "name=Ann")
    fake = Counting(2)
    monkeypatch.setattr("duly.cli.local.LocalQueues.pause", lambda _, *given: fake.pause(*given))
    said = shell("queue", "drain", "default", "--timeout", "0")
    assert (said.code, said.out.strip()) == (3, "default is paused: no task of it starts; 2 still run")


def test_a_purge_wants_a_yes(shell: Shell, submit: Submit) -> None:
    """Without it, it says what it would cancel, and cancels nothing."""
    id_ = submit("greet", "name=Ann")["id"]
    said = shell("queue", "purge", "default")
    assert said.code == 2
    assert "1 pending" in said.problems[0]
    assert shell("show", id_, "--json").json["task"]["status"] == "pending"
    assert shell("queue", "purge", "default", "--status", "scheduled,retry", "--yes").out == "cancelled: 0\n"
    assert shell("queue", "purge", "default", "--yes").out == "cancelled: 1\n"
    assert shell("show", id_, "--json").json["task"]["status"] == "cancelled"


def test_tasks_are_moved_and_reordered(shell: Shell, submit: Submit) -> None:
    """By filter, or one by its id's end."""
    first, second = submit("greet", "name=Ann"), submit("later")
    assert shell("queue", "move", "slow", "--type", "later").out == "moved: 1\n"
    assert shell("queue", "priority", "9", first["id"][-6:]).out == "moved: 1\n"
    tasks = {one["id"]: one for one in shell("ls", "--json").json["tasks"]}
    assert (tasks[first["id"]]["queue"], tasks[first["id"]]["priority"]) == ("default", 9)
    assert (tasks[second["id"]]["queue"], tasks[second["id"]]["priority"]) == ("slow", 5)


def test_more_than_one_request_takes_are_moved_in_parts(
    shell: Shell, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts are added up, and the limit is of the whole."""
    monkeypatch.setattr(bulk, "PART", 2)
    for _ in range(6):
        submit("greet", "name=Ann")
    said = shell("queue", "move", "slow", "--queue", "default", "--limit", "5")
    assert said.out.splitlines() == ["moved: 5", "more fit; --limit takes more"]
    assert shell("queue", "move", "slow", "--queue", "default", "--json").json == {"moved": 1, "more": False}


def test_failed_tasks_are_found_and_run_again(shell: Shell, submit: Submit, work: Work) -> None:
    """By error and time; those that do not fit stay failed."""
    id_ = submit("break")["id"]
    work()
    assert "The scan holds no text." in shell("failed", "ls", "--error", "no_text", "--since", "1h").out
    assert shell("failed", "ls", "--error", "other").out == "No task has failed that fits this.\n"
    assert shell("failed", "retry", "--error", "other").out == "run again: 0\n"
    assert shell("failed", "retry", "--since", "2999-01-01T00:00:00Z").out == "run again: 0\n"
    assert shell("failed", "retry", "--error", "no_text").out == "run again: 1\n"
    assert shell("show", id_, "--json").json["events"][-1]["type"] == "retried"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("queue", "pause", "defualt"), "there is no queue defualt; there are: default"),
        (("queue", "resume", "a b"), "queue must be 1..64 letters"),
        (("queue", "drain", "default", "--timeout", "-1"), "Invalid value for '--timeout'"),
        (("queue", "purge", "default", "--status", "running", "--yes"), "a running task cannot be purged"),
        (("queue", "purge", "default", "--status", "done", "--yes"), "there is no status 'done'"),
        (("queue", "move", "slow"), "say which tasks"),
        (("queue", "move", "a b", "--type", "greet"), "queue must be 1..64 letters"),
        (("queue", "move", "slow", "--status", "running"), "a running task cannot be moved"),
        (("queue", "move", "slow", "123"), "too short for a task's id"),
        (("queue", "priority", "11", "--type", "greet"), "Invalid value for 'N'"),
        (("failed", "retry"), "say which failed tasks"),
        (("failed", "retry", "--status", "failed"), "say which failed tasks"),
        (("failed", "retry", "--type", "break", "--status", "running"), "a running task cannot be retried"),
        (("failed", "ls", "--since", "yesterday"), "since is not an ISO 8601 moment"),
        (("failed", "ls", "--limit", "0"), "Invalid value for '--limit'"),
    ],
)
def test_what_cannot_be_is_one_line(
    shell: Shell, submit: Submit, arguments: tuple[str, ...], said: str
) -> None:
    """And exit code 2."""
    submit("greet", "name=Ann")
    answer = shell(*arguments)
    assert (answer.code, len(answer.problems)) == (2, 1)
    assert said in answer.problems[0]


def test_both_desks_do_the_same(shell: Shell, server: str) -> None:
    """Each command prints the same document, here or there."""
    shell("submit", "break", "--app", APP, "--wait", "--json")
    for command in (
        ("queue", "ls"),
        ("queue", "pause", "default", "--by", "ann"),
        ("queue", "drain", "default"),
        ("queue", "purge", "default", "--yes"),
        ("queue", "move", "slow", "--type", "none"),
        ("queue", "priority", "3", "--type", "none"),
        ("failed", "ls", "--error", "no_text", "--since", "1h"),
        ("failed", "retry", "--type", "none"),
        ("queue", "resume", "default"),
    ):
        here = shell(*command, "--json").json
        there = shell(*command, "--json", "--url", server).json
        assert there == here, command
    for refused in (("queue", "pause", "defualt"), ("queue", "move", "slow")):
        here, there = shell(*refused), shell(*refused, "--url", server)
        assert (here.code, here.err) == (there.code, there.err)
