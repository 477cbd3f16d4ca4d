"""`duly schedule`: added, looked at, steered and removed, at the database and through a server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, Said, Shell
from test_cli_desk import shape

from duly.store import schedules
from duly.store.database import Database

ADD = ("schedule", "add", "morning", "greet", "name=Ann", "--app", APP)
CRON = ("--cron", "0 8 * * 1-5", "--zone", "Asia/Shanghai")


@pytest.fixture
def added(shell: Shell) -> dict[str, Any]:
    """A schedule, as `add` answers it."""
    said = shell(*ADD, *CRON, "--owner", "ann", "--tag", "daily", "--priority", "7", "--json")
    assert said.code == 0, said.err
    return dict(said.json)


def test_what_is_added_is_shown(shell: Shell, added: dict[str, Any]) -> None:
    """In the list and on its own, with its next ticks in its own time zone."""
    assert (added["cron"], added["owner"], added["tags"], added["priority"]) == (CRON[1], "ann", ["daily"], 7)
    assert shell("schedule", "show", "morning", "--json").json == added
    assert shell("schedule", "ls", "--json").json == {"schedules": [added]}
    assert "0 8 * * 1-5  Asia/Shanghai" in shell("schedule", "ls").out
    lines = shell("schedule", "next", "morning", "--count", "3").out.splitlines()
    assert [line[11:] for line in lines] == ["08:00:00+08:00"] * 3
    sheet = shell("schedule", "show", "morning").out
    assert [word for word in (lines[0], "greet", '{"name": "Ann"}', "daily") if word not in sheet] == []


def test_pause_resume_run_and_rm(shell: Shell, added: dict[str, Any], work: Callable[[], None]) -> None:
    """Each says what became of it; run now is done while it is paused."""
    assert "paused" in shell("schedule", "pause", "morning").out
    assert "paused" in shell("schedule", "ls").out
    task = shell("schedule", "run", "morning", "--json").json
    work()
    assert shell("show", task["id"], "--json").json["task"]["result"]["markdown"] == "# Ann"
    assert "ticks again; next: " in shell("schedule", "resume", "morning").out
    assert "removed" in shell("schedule", "rm", "morning").out
    assert "No schedules here yet" in shell("schedule", "ls").out


def test_a_name_is_replaced_only_when_it_is_said(shell: Shell, added: dict[str, Any]) -> None:
    """Else it is refused; a replaced one keeps its pause."""
    assert shell(*ADD, "--every", "60").problems == ["there is a schedule morning already"]
    shell("schedule", "pause", "morning")
    replaced = shell(*ADD, "--every", "60", "--replace", "--json").json
    assert (replaced["every"], replaced["cron"], replaced["paused"]) == (60, None, True)


def test_it_reads_in_chinese(shell: Shell, added: dict[str, Any]) -> None:
    """List, sheet and answers."""
    assert "已暂停" in shell("schedule", "pause", "morning", "--lang", "zh").out
    assert "名称" in shell("schedule", "ls", "--lang", "zh").out
    assert "下次" in shell("schedule", "resume", "morning", "--lang", "zh").out


WRONG = [
    (("--cron", "0 25 * * *"), "cannot be read: bad hour"),
    (("--cron", "daily"), "five fields"),
    (("--cron", "0 8 * * *", "--zone", "Mars/Olympus"), "no time zone 'Mars/Olympus'"),
    (("--every", "0"), "every must be a number of seconds"),
    (("--every", "nan"), "every must be a number of seconds"),
    (("--every", "60", "--zone", "UTC"), "zone goes with a cron line"),
    ((), "a cron line or every"),
    (("--every", "60", "--catch-up", "some"), "catch_up must be skip, one, all"),
    (("--every", "60", "--catch-up-most", "0"), "catch_up_most must be 1..1000"),
    (("--every", "60", "--due", "2030-01-01T00:00:00Z"), "must be seconds after its tick"),
    (("--every", "60", "--idempotency-key", "k"), "idempotency key for each of its ticks"),
    (("--every", "60", "--priority", "11"), "priority must be 1..10"),
    (("--every", "60", "extra=1"), "does not fit its handler"),
]


@pytest.mark.parametrize(("arguments", "problem"), WRONG)
def test_what_cannot_be_a_schedule_is_one_line(
    shell: Shell, arguments: tuple[str, ...], problem: str
) -> None:
    """And exit code 2; nothing is kept."""
    said = shell(*ADD, *arguments)
    assert (said.code, len(said.problems)) == (2, 1)
    assert problem in said.problems[0]


@pytest.mark.parametrize("command", ["show", "next", "pause", "resume", "run", "rm"])
def test_a_schedule_that_is_not_there_is_one_line(shell: Shell, added: dict[str, Any], command: str) -> None:
    """Whatever is asked of it; a tenant has names of its own."""
    for arguments in (("none",), ("morning", "--tenant", "acme"), ("no name",)):
        said = shell("schedule", command, *arguments)
        assert (said.code, said.problems) == (2, [f"there is no schedule {arguments[0]}"])


def test_what_the_code_declares_is_not_removed(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker writes it down when it starts; here it is paused or run."""
    (folder / "nightly_app.py").write_text(
        "from duly import Duly\nduly = Duly()\n@duly.task('tidy')\nasync def tidy(ctx): ...\n"
        "duly.schedule('nightly', '0 3 * * *', 'tidy')\n"
    )
    monkeypatch.syspath_prepend(folder)
    work_once("nightly_app:duly")
    assert "declared in nightly_app:duly" in shell("schedule", "ls").out
    said = shell("schedule", "rm", "nightly")
    assert (said.code, "declared in the code" in said.problems[0]) == (2, True)
    assert shell("schedule", "pause", "nightly").code == 0
    work_once("nightly_app:duly")
    assert shell("schedule", "show", "nightly", "--json").json["paused"]


def work_once(app: str) -> None:
    """A worker of that program starts, does what is due, and stops."""
    import asyncio

    from duly.config import load
    from duly.runtime.app import App
    from duly.runtime.load import load_declared
    from duly.runtime.worker import Worker

    async def once() -> None:
        settings = load({"app": app, "log_level": "error"})
        one = App(settings, load_declared(settings))
        await one.start()
        worker = Worker(one)
        await worker.start()
        await worker.until_idle()
        await worker.stop()
        await one.stop()

    asyncio.run(once())


def test_both_desks_answer_alike(shell: Shell, server: str) -> None:
    """Every command, at the database and through its server."""
    on = ("--url", server)

    def both(*arguments: str) -> tuple[Said, Said]:
        here, there = shell("schedule", *arguments), shell("schedule", *arguments, *on)
        assert (here.code, there.code, here.err) == (0, 0, there.err)
        return here, there

    added = [
        shell(*ADD[:2], name, *ADD[3:], *CRON, "--json", *where) for name, where in (("a", ()), ("b", on))
    ]
    assert shape(added[0].json) == shape(added[1].json)
    for arguments in (("ls", "--json"), ("show", "a", "--json"), ("next", "a"), ("pause", "a", "--json")):
        here, there = both(*arguments)
        assert here.out == there.out
    both("resume", "a")
    here, there = both("run", "a", "--json")
    assert set(here.json) == set(there.json)  # one of them may have run meanwhile
    for name, where in (("a", ()), ("b", on)):
        assert shell("schedule", "rm", name, *where).code == 0
    refused = [shell("schedule", "rm", "a", *where) for where in ((), on)]
    assert (refused[0].code, refused[0].err) == (refused[1].code, refused[1].err)


def test_doctor_tells_of_schedules(shell: Shell, folder: Path, added: dict[str, Any]) -> None:
    """How many there are; one that is overdue is worth a note."""
    assert "schedules" in shell("doctor", "--app", APP).out
    database = Database(f"sqlite:///{folder / 'duly.db'}")
    database.open()
    try:
        with database.engine().connect() as connection:
            connection.exec_driver_sql("UPDATE schedule SET next_at = 1")
        assert database.read_blocking(schedules.due).schedules
    finally:
        database.close()
    said = shell("doctor", "--app", APP, "--json").json["findings"]
    note, count = [one for one in said if one["name"] == "schedules"]
    assert (note["state"], count["text"]) == ("note", "1, 0 of them paused")
    assert "morning is overdue" in note["text"]
