"""Commands on tasks that exist, for people and for programs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from command_under_test import Shell
from rich.cells import cell_len

Submit = Callable[..., dict[str, Any]]


def test_every_reading_command_answers_one_json_document(
    shell: Shell, submit: Submit, work: Callable[[], None]
) -> None:
    """What --json prints can be parsed, and says the same task."""
    task = submit("greet", "name=Ann")
    work()
    id_ = task["id"]
    assert shell("ls", "--json").json["tasks"][0]["id"] == id_
    assert shell("stats", "--json").json["stats"]["completed"] == 1
    assert shell("why", id_, "--json").json["task_id"] == id_
    assert shell("cancel", id_, "--json").json["id"] == id_
    assert shell("doctor", "--json").json["problems"] == []
    assert shell("version", "--json").json["duly"]
    assert shell("token", "--json").json["token"].startswith("duly_")
    assert shell("db", "check", "--json").json["verdict"] == "equal"


def test_show_tells_attempts_and_steps(shell: Shell, submit: Submit, work: Callable[[], None]) -> None:
    """Attempts and steps come from the timeline: what ran when, and how it ended."""
    task = submit("greet", "name=Ann", "times=2", "--deliver", "inbox")
    work()
    seen = shell("show", task["id"], "--json").json
    assert [(one["attempt"], one["outcome"]) for one in seen["attempts"]] == [(1, "completed")]
    assert [(one["name"], one["attempt"]) for one in seen["steps"]] == [("say", 1), ("say", 1)]
    assert [(one["channel"], one["status"]) for one in seen["deliveries"]] == [("inbox", "delivered")]
    assert [event["seq"] for event in seen["events"]] == list(range(1, len(seen["events"]) + 1))


def test_show_reads_well(shell: Shell, submit: Submit, work: Callable[[], None]) -> None:
    """Each part has its title, and the result stands at the end."""
    task = submit("greet", "name=Ann")
    work()
    said = shell("show", task["id"]).out
    places = [said.index(part) for part in (task["id"], "Attempts", "Steps", "Timeline", "Result", "# Ann")]
    assert places == sorted(places)
    assert shell("show", task["id"], "--json").json["task"]["code_version"] == "3"
    assert re.search(r"code version +3", said)


def test_show_and_why_name_the_external_job(shell: Shell, submit: Submit, work: Callable[[], None]) -> None:
    """Its id at the vendor, what was last heard of it, and when it is polled again."""
    id_ = submit("render")["id"]
    work()
    [job] = shell("show", id_, "--json").json["jobs"]
    assert (job["name"], job["external_id"], job["did"]) == ("film", "v-1", "submitted")
    said = shell("show", id_).out
    assert [part for part in ("External jobs", "film", "v-1", "submitted") if part not in said] == []
    assert "waits for the external job v-1 (film), polled again at" in shell("why", id_).out
    assert "外部任务 v-1" in shell("why", id_, "--lang", "zh").out


def test_a_family_is_shown(shell: Shell, submit: Submit, work: Callable[[], None]) -> None:
    """A parent counts its children, `ls --parent` lists them, each names its parent; also by a short id."""
    id_ = submit("party", 'names=["Ann", "Bo"]')["id"]
    work()
    assert shell("show", id_, "--json").json["children"] == {"completed": 2}
    assert "2 completed" in shell("show", id_).out
    for words in (id_, id_[-8:]):
        children = shell("ls", "--parent", words, "--json").json["tasks"]
        assert [one["parent_id"] for one in children] == [id_, id_]
    assert id_ in shell("show", children[0]["id"]).out
    assert shell("stats", "--parent", id_, "--json").json["stats"]["completed"] == 2
    assert shell("ls", "--parent", "nobody").code == 2


def test_a_task_is_told_what_it_waits_for(shell: Shell, submit: Submit, work: Callable[[], None]) -> None:
    """The same --id is the same signal; what is no JSON, or is for a task that has ended, is refused."""
    id_ = submit("greet", "name=Ann")["id"]
    assert shell("signal", id_, "approve", "--data", '{"by": "ann"}', "--id", "k", "--json").json["id"] == id_
    assert "told" in shell("signal", id_, "approve", "--data", '{"by": "ann"}', "--id", "k").out
    assert "已告知" in shell("signal", id_, "approve", "--lang", "zh").out
    events = shell("show", id_, "--json").json["events"]
    assert [event["data"]["name"] for event in events if event["type"] == "signalled"] == ["approve"] * 2
    for wrong in (("approve", "--data", "{"), ("a b",), ("approve", "--data", "2", "--id", "k")):
        assert shell("signal", id_, *wrong).code == 2
    work()
    assert shell("signal", id_, "approve").code == 2


def test_a_failed_task_says_why_and_can_be_retried(
    shell: Shell, submit: Submit, work: Callable[[], None]
) -> None:
    """The error is in the list and in the sheet; `retry` puts the task back."""
    task = submit("break")
    work()
    assert "The scan holds no text." in shell("ls", "--status", "failed").out
    assert "[no_text] The scan holds no text." in shell("show", task["id"]).out
    assert shell("watch", task["id"]).code == 1
    assert shell("retry", task["id"], "--json").json["status"] == "pending"


def test_a_completed_task_is_not_retried(shell: Shell, submit: Submit, work: Callable[[], None]) -> None:
    """The refusal is one line, and names the state."""
    task = submit("greet", "name=Ann")
    work()
    said = shell("retry", task["id"])
    assert (said.code, len(said.problems)) == (2, 1)
    assert "completed" in said.problems[0]


def test_a_task_whose_unique_key_another_one_holds_is_not_retried(
    shell: Shell, submit: Submit, work: Callable[[], None]
) -> None:
    """The refusal is one line, and says what to do."""
    task = submit("break", "--unique", "nightly")
    work()
    submit("break", "--unique", "nightly")
    said = shell("retry", task["id"])
    assert (said.code, len(said.problems)) == (2, 1)
    assert "another task holds the unique key" in said.problems[0]


def test_cancel_says_what_became_of_it(shell: Shell, submit: Submit) -> None:
    """A waiting task is cancelled at once; cancelled again, it says that it had ended."""
    task = submit("later")
    assert "cancelled" in shell("cancel", task["id"]).out
    assert "had ended before" in shell("cancel", task["id"]).out


def test_why_names_the_missing_worker(shell: Shell, submit: Submit) -> None:
    """A task that nobody takes is explained, in the language asked for."""
    task = submit("later")
    assert "No worker is running" in shell("why", task["id"]).out
    assert "没有正在运行的工作进程" in shell("why", task["id"], "--lang", "zh").out


def test_an_end_of_six_characters_is_enough(shell: Shell, submit: Submit) -> None:
    """What `duly ls` shows of an id can be given to every command."""
    task = submit("greet", "name=Ann")
    assert shell("show", task["id"][-6:], "--json").json["task"]["id"] == task["id"]
    assert task["id"][-8:] in shell("ls").out


@pytest.mark.parametrize(
    ("option", "value"),
    [("--status", "scheduled"), ("--type", "later"), ("--queue", "side"), ("--owner", "bob"), ("--tag", "b")],
)
def test_the_list_can_be_narrowed(shell: Shell, submit: Submit, option: str, value: str) -> None:
    """Each filter finds the one task that fits."""
    submit("greet", "name=Ann", "--owner", "alice", "--tag", "a")
    wanted = submit("later", "--owner", "bob", "--tag", "b", "--due", "3600")
    found = shell("ls", option, value, "--json").json["tasks"]
    assert [task["id"] for task in found] == [wanted["id"]]
    assert sum(shell("stats", option, value, "--json").json["stats"].values()) == 1


def test_an_unknown_state_names_the_known_ones(shell: Shell, submit: Submit) -> None:
    """The refusal lists what could have been meant."""
    submit("greet", "name=Ann")
    said = shell("ls", "--status", "done")
    assert (said.code, len(said.problems)) == (2, 1)
    assert "completed" in said.problems[0]


def test_an_empty_list_says_how_to_begin(shell: Shell, submit: Submit) -> None:
    """Where nothing fits, a sentence stands in place of an empty table."""
    submit("greet", "name=Ann")
    assert shell("ls", "--status", "failed").out.strip() == "No task fits this."


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_table_fits_the_terminal(
    shell: Shell, submit: Submit, monkeypatch: pytest.MonkeyPatch, columns: int, language: str
) -> None:
    """No line is wider than the screen, and the column after a Chinese word begins where it should."""
    for owner in ("张三", "an-owner-with-a-long-name"):
        submit("greet", "name=Ann", "--owner", owner)
    submit("later", "--due", "3600")
    monkeypatch.setenv("COLUMNS", str(columns))
    head, *rows = shell("ls", "--lang", language).out.splitlines()
    assert [row for row in (head, *rows) if cell_len(row) > columns] == []
    column = cell_len(head[: head.index("类型" if language == "zh" else "type")])
    starts = {
        row.index(kind) and cell_len(row[: row.index(kind)])
        for row in rows
        for kind in ("greet", "later")
        if kind in row
    }
    assert starts == {column}


def test_control_sequences_of_others_do_not_reach_the_terminal(shell: Shell, submit: Submit) -> None:
    """A tag that would clear the screen is shown, not obeyed; brackets are brackets."""
    submit("greet", "name=Ann", "--metadata", r'{"say": "[red]\u001b[2J\u202e"}')
    task = shell("ls", "--json").json["tasks"][0]
    said = shell("show", task["id"]).out
    assert "[red]" in said
    assert [one for one in said if not one.isprintable() and one != "\n"] == []
