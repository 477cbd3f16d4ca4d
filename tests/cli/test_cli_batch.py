"""`duly batch`: many tasks from a file, accepted as one, followed to their end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, Shell

BATCH = ("batch", "--app", APP)


def write(folder: Path, *lines: Any) -> Path:
    """A file of these lines."""
    file = folder / "tasks.ndjson"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return file


def test_each_line_is_a_task(shell: Shell, work: Callable[[], None], folder: Path) -> None:
    """Of any type; the answer is the batch's id, and its result counts them."""
    file = write(folder, {"task_type": "greet", "input": {"name": "安"}}, {"task_type": "break"})
    said = shell(*BATCH, file)
    assert (said.code, said.err) == (0, "")
    work()
    task = shell("show", said.out.split()[0], "--json").json["task"]
    assert {key: task["result"][key] for key in ("total", "completed", "failed")} == {
        "total": 2,
        "completed": 1,
        "failed": 1,
    }
    assert task["batch"]["failed"] == 1


def test_with_a_type_each_line_is_an_input(shell: Shell, folder: Path) -> None:
    """Empty lines are none; terms are those of the batch."""
    file = write(folder, {"name": "Ann"}, {"name": "Bo"})
    file.write_text(f"{file.read_text('utf-8')}\n\n", "utf-8")
    task = shell(*BATCH, file, "--type", "greet", "--tag", "guests", "--deliver", "inbox", "--json").json
    assert (task["metadata"]["members"], task["tags"]) == (2, ["guests"])


def test_stdin_is_a_file_too(shell: Shell) -> None:
    """Written -."""
    assert shell(*BATCH, "-", "--type", "greet", "--json", stdin=b'{"name": "Ann"}').json["task_type"]


@pytest.mark.parametrize("where", ["database", "server"])
def test_a_batch_is_followed_to_its_end(
    shell: Shell, server: str, folder: Path, tmp_path: Path, where: str
) -> None:
    """At the database and at a server alike: how many have ended, then the counts."""
    file = write(tmp_path, *({"name": f"guest {n}"} for n in range(5)))
    place = ("--app", APP) if where == "database" else ("--url", server)
    said = shell("batch", file, "--type", "greet", *place, "--wait", "60", "--lang", "zh")
    assert (said.code, said.err) == (0, "")
    assert "5 个中已结束" in said.out
    assert "completed: 5" in said.out.replace("  ", " ") or "5" in said.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (['{"task_type": "greet", "input": {"name": "A"}}', "{"], "line 2"),
        (['{"task_type": "greet", "input": {"name": "A"}}', '{"task_type": "nobody"}'], "tasks/1"),
        (['{"task_type": "greet", "input": {}}'], "tasks/0"),
        (["5"], "tasks/0"),
        ([], "1 to 10000"),
    ],
)
@pytest.mark.parametrize("where", ["database", "server"])
def test_a_bad_file_is_one_line_and_exit_code_two(
    shell: Shell, server: str, tmp_path: Path, lines: list[str], said: str, where: str
) -> None:
    """It says which line, and nothing is accepted."""
    file = tmp_path / "bad.ndjson"
    file.write_text("\n".join(lines), "utf-8")
    answer = shell("batch", file, *(("--app", APP) if where == "database" else ("--url", server)))
    assert (answer.code, len(answer.problems)) == (2, 1)
    assert said in answer.problems[0]


def test_a_file_that_is_not_there(shell: Shell) -> None:
    """Is refused."""
    answer = shell(*BATCH, "nothing.ndjson")
    assert (answer.code, len(answer.problems)) == (2, 1)


def test_a_batch_larger_than_a_quota_is_one_line_and_exit_code_two(
    shell: Shell, submit: Callable[..., dict[str, Any]], folder: Path
) -> None:
    """It says how many it holds and how many may wait, and nothing of later."""
    submit("greet", "name=Ann")
    assert shell("limit", "set", "tenant/*", "--waiting", "2").code == 0
    answer = shell(*BATCH, write(folder, *({"name": f"guest {n}"} for n in range(3))), "--type", "greet")
    assert (answer.code, len(answer.problems)) == (2, 1)
    assert "the batch holds 3 tasks and the quota of this tenant is 2" in answer.problems[0]
    assert "later" not in answer.problems[0]
