"""`duly prune`, and what show, why and doctor say about how long things are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, Shell

from duly.store import sqlite
from support.tmpfs import fill, small_disk

Submit = Callable[..., dict[str, Any]]
Work = Callable[[], None]


def earlier(days: float) -> None:
    """As if all that ended had ended so long before, with the time that was theirs."""
    statement = "UPDATE task SET completed_at = completed_at - ?, expires_at = expires_at - ?"
    with closing(sqlite.connect(Path("duly.db"), "WAL")) as connection:
        connection.execute(statement, (round(days * 86_400_000),) * 2)


def test_prune_deletes_what_was_kept_long_enough(shell: Shell, submit: Submit, work: Work) -> None:
    """A task whose time is over is gone, one that has not ended stays."""
    done = submit("greet", "name=Ann")
    work()
    earlier(30)
    waiting = submit("greet", "name=Bob")
    said = shell("prune")
    assert (said.code, said.out) == (0, "1 ended tasks deleted\n")
    assert [task["id"] for task in shell("ls", "--json").json["tasks"]] == [waiting["id"]]
    assert shell("show", done["id"]).code == 2


def test_a_dry_run_only_counts(shell: Shell, submit: Submit, work: Work) -> None:
    """In text and as JSON."""
    submit("greet", "name=Ann")
    work()
    earlier(30)
    assert shell("prune", "--dry-run").out == "1 ended tasks would be deleted\n"
    assert shell("prune", "--dry-run", "--lang", "zh").out == "将删除 1 个已结束的任务\n"
    counts = {"dry_run": True, "tasks": 1, "kept": 0, "sessions": 0, "reserve": True}
    assert shell("prune", "--dry-run", "--json").json == counts
    assert len(shell("ls", "--json").json["tasks"]) == 1


def test_prune_by_age_and_type(shell: Shell, submit: Submit, work: Work) -> None:
    """A week old, of one type: whatever they said themselves."""
    submit("greet", "name=Ann")
    submit("break")
    work()
    earlier(8)
    assert shell("prune", "--json").json["tasks"] == 0
    assert shell("prune", "--older-than", "9d", "--json").json["tasks"] == 0
    assert shell("prune", "--older-than", "7d", "--type", "greet", "--json").json["tasks"] == 1
    assert shell("prune", "--before", "2020-01-01T00:00:00Z", "--json").json["tasks"] == 0
    assert shell("prune", "--older-than", "1w", "--json").json["tasks"] == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--older-than", "soon"), "no span of time"),
        (("--older-than", "-3d"), "no span of time"),
        (("--before", "yesterday"), "ISO 8601"),
        (("--before", "2020-01-01T00:00:00"), "zone"),
        (("--older-than", "3d", "--before", "2020-01-01T00:00:00Z"), "give one of them"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    shell: Shell, submit: Submit, options: tuple[str, ...], word: str
) -> None:
    """And nothing is deleted."""
    submit("later")
    said = shell("prune", *options)
    assert (said.code, len(said.problems)) == (2, 1)
    assert word in said.problems[0]


def test_prune_makes_no_database(shell: Shell, folder: Path) -> None:
    """Where there is none, there is nothing to delete."""
    assert shell("prune").code == 2
    assert list(folder.iterdir()) == []


def test_show_and_why_say_until_when(shell: Shell, submit: Submit, work: Work) -> None:
    """In the list of facts, as a reason, in both languages; a running task has no such line."""
    task = submit("greet", "name=Ann", "--result-ttl", "3600")
    assert task["expires_at"] is None
    assert "kept until" not in shell("show", task["id"]).out
    work()
    assert "kept until" in shell("show", task["id"]).out
    assert "It is kept until" in shell("why", task["id"]).out
    assert "保留至" in shell("why", task["id"], "--lang", "zh").out
    earlier(1)
    assert "Its time is over" in shell("why", task["id"]).out


def test_a_time_too_short_is_one_line(shell: Shell) -> None:
    """Nobody could fetch the result in time."""
    said = shell("submit", "greet", "name=Ann", "--result-ttl", "0", "--app", APP)
    assert (said.code, len(said.problems)) == (2, 1)
    assert "result_ttl must be 60 seconds" in said.problems[0]


def test_doctor_tells_of_the_reserve(
    shell: Shell, submit: Submit, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept, not there, or not wanted."""

    def told() -> str:
        return {one["name"]: one["text"] for one in shell("doctor", "--json").json["findings"]}["reserve"]

    submit("greet", "name=Ann")
    assert "is not there" in told()
    shell("prune")
    assert told().startswith("8,388,608 bytes in duly.db.reserve")
    monkeypatch.setenv("DULY_RESERVE", "0")
    assert told().startswith("none (reserve = 0)")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small disk as the working folder."""
    with small_disk(tmp_path, 12) as one:
        monkeypatch.chdir(one)
        monkeypatch.setenv("DULY_RESERVE", "2097152")
        yield one
        monkeypatch.chdir(tmp_path)


def test_prune_cleans_a_full_disk(shell: Shell, submit: Submit, work: Work, disk: Path) -> None:
    """Doctor names it and the way out; afterwards tasks are accepted again and the reserve is there."""
    for _ in range(20):
        submit("greet", f"name={'x' * 100_000}")
    work()
    shell("prune")
    fill(disk)
    assert any("bytes free" in problem for problem in shell("doctor").problems)
    assert shell("submit", "greet", "name=Ann", "--app", APP).code == 2
    assert shell("prune", "--older-than", "0s", "--json").json["tasks"] == 20
    assert submit("greet", "name=Ann")["status"] == "pending"
