"""`duly submit`: every way to write an input, every term, and waiting for the end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, PATIENCE, Shell, environment

Submit = Callable[..., dict[str, Any]]
GREET = ("submit", "greet", "--app", APP)


def test_the_answer_is_the_id(shell: Shell) -> None:
    """Without --json the line begins with the id, for a shell to cut off."""
    said = shell(*GREET, "name=Ann")
    assert (said.code, said.err) == (0, "")
    assert len(said.out.split()[0]) == 36


def test_pairs_are_json_where_they_are_json(submit: Submit, work: Callable[[], None], shell: Shell) -> None:
    """times=2 is a number, name=Ann is a text, and the handler gets both."""
    task = submit("greet", "name=Ann", "times=2")
    work()
    assert shell("show", task["id"], "--json").json["task"]["result"] == {"markdown": "# Ann", "times": 2}


def test_the_input_may_come_from_a_file_and_from_stdin(shell: Shell, folder: Path) -> None:
    """@FILE and @- are read as the JSON object itself."""
    (folder / "input.json").write_text('{"name": "安"}', "utf-8")
    assert shell(*GREET, "--input", "@input.json").code == 0
    assert shell(*GREET, "--input", "@-", stdin='{"name": "安"}'.encode()).code == 0


def test_a_document_is_uploaded_and_named(
    submit: Submit, work: Callable[[], None], shell: Shell, folder: Path
) -> None:
    """The handler gets blob, name, size and content type, and can read the bytes."""
    (folder / "标书.pdf").write_bytes(b"%PDF-1.7 x")
    task = submit("keep", "--file", "标书.pdf")
    work()
    result = shell("show", task["id"], "--json").json["task"]["result"]
    assert (result["name"], result["size"], result["bytes"]) == ("标书.pdf", 10, 10)
    assert result["content_type"] == "application/pdf"


def test_every_term_arrives(submit: Submit) -> None:
    """Priority, times, tags, owner and metadata stand in the accepted task."""
    terms = ("--priority", 9, "--due", 3600, "--deadline", "2099-01-01T00:00:00+08:00", "--timeout", 5)
    more = ("--max-retries", 0, "--tag", "a", "--tag", "b", "--owner", "alice", "--queue", "side")
    task = submit("greet", "name=Ann", *terms, *more, "--metadata", '{"n": 1}', "--deliver", "inbox")
    assert (task["status"], task["priority"], task["max_retries"]) == ("scheduled", 9, 0)
    assert (sorted(task["tags"]), task["owner"], task["queue"]) == (["a", "b"], "alice", "side")
    assert (task["metadata"], task["deadline_at"]) == ({"n": 1}, "2098-12-31T16:00:00.000Z")


def test_the_same_key_is_the_same_task(submit: Submit, shell: Shell) -> None:
    """Sent twice it is one task; with another body it is refused."""
    first = submit("greet", "name=Ann", "--idempotency-key", "k")
    assert submit("greet", "name=Ann", "--idempotency-key", "k")["id"] == first["id"]
    said = shell(*GREET, "name=Bob", "--idempotency-key", "k")
    assert (said.code, len(said.problems)) == (2, 1)


def test_one_living_task_with_a_unique_key(submit: Submit) -> None:
    """A second task with the key is the first one."""
    first = submit("greet", "name=Ann", "--unique", "k")
    assert submit("greet", "name=Bob", "--unique", "k")["id"] == first["id"]


def test_waiting_shows_the_result(shell: Shell, server: str) -> None:
    """A lone --wait follows the task to its end and prints its result for a person."""
    said = shell(*GREET, "name=Ann", "--wait")
    assert (said.code, said.err) == (0, "")
    assert "greeted Ann" in said.out
    assert "# Ann" in said.out


def test_waiting_for_a_failure_is_exit_code_1(shell: Shell, server: str) -> None:
    """The code and the words of the failure are shown; nothing stands on stderr."""
    said = shell("submit", "break", "--app", APP, "--wait", "30")
    assert (said.code, said.err) == (1, "")
    assert "no_text: The scan holds no text." in said.out


def test_waiting_has_an_end(shell: Shell) -> None:
    """Without a worker `--wait 0` comes back with exit code 3 and says how to look again."""
    said = shell(*GREET, "name=Ann", "--wait", "0")
    assert said.code == 3
    assert "duly watch" in said.problems[0]


def test_waiting_in_json_is_a_line_per_event(shell: Shell, server: str) -> None:
    """With --json each event is a line, and the last line is the task with its result."""
    said = shell(*GREET, "name=Ann", "--wait", "--json")
    *events, task = [json.loads(line) for line in said.out.splitlines()]
    numbered = [event["seq"] for event in events if event["seq"]]
    assert numbered == list(range(1, len(numbered) + 1))
    assert task["result"]["markdown"] == "# Ann"


def test_over_http_no_handler_is_needed(shell: Shell, server: str) -> None:
    """With --url the server knows the task types, and the token file is found."""
    said = shell("submit", "greet", "name=Ann", "--url", server, "--wait")
    assert (said.code, said.err) == (0, "")
    assert "# Ann" in said.out


def hear_interrupts() -> None:
    """As in a terminal: a shell's background jobs ignore them, and hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_leaves_the_task_alone_and_says_so(submit: Submit) -> None:
    """`duly watch` on a task that nobody runs: one line says that it goes on, and exit code 130."""
    task = submit("later")
    command = [sys.executable, "-u", "-m", "duly.cli", "watch", task["id"], "--json"]
    with subprocess.Popen(
        command,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - it takes no lock that a thread could hold
    ) as it:
        assert it.stdout is not None
        assert json.loads(it.stdout.readline())["type"] == "accepted"
        it.send_signal(signal.SIGINT)
        _, err = it.communicate(timeout=PATIENCE)
    assert (it.returncode, err.count("\n")) == (130, 1)
    assert err.startswith("duly: the task goes on without you")


def test_a_worker_does_what_is_due_and_ends(submit: Submit, shell: Shell) -> None:
    """`duly worker --once` runs the tasks of its queues, and leaves the others."""
    due, elsewhere = submit("greet", "name=Ann"), submit("later")
    command = [sys.executable, "-m", "duly.cli", "worker", "--app", APP, "--once"]
    done = subprocess.run(command, env=environment(), capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0
    status = {task["id"]: task["status"] for task in shell("ls", "--json").json["tasks"]}
    assert status == {due["id"]: "completed", elsewhere["id"]: "pending"}


def test_waiting_in_vain_is_explained(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a task that nobody takes is told that no worker runs."""
    monkeypatch.setattr("duly.cli.progress.PATIENCE_SECONDS", 0)
    said = shell(*GREET, "name=Ann", "--wait", "0.5")
    assert said.code == 3
    assert "No worker is running" in said.out
