"""Log lines: one per event, not to be forged, with the task they are about."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duly.clock import iso
from duly.model.events import current_task
from duly.observe.lines import LineFormatter, json_line, logfmt
from duly.observe.logs import Log, level_of

ANY_TEXT = st.text(st.characters(), max_size=60)
PAIR = re.compile(r'([A-Za-z0-9_.\-]+)=("(?:[^"\\]|\\.)*"|[A-Za-z0-9_.:/@+\-]+)')


def parsed(line: str) -> dict[str, Any]:
    """The fields of a logfmt line, by a parser of its own; it fails on anything that is not a pair."""
    fields, place = {}, 0
    while place < len(line):
        found = PAIR.match(line, place)
        assert found, f"no pair at {place} of {line!r}"
        key, value = found.groups()
        assert key not in fields, f"{key} stands twice in {line!r}"
        fields[key] = json.loads(value) if value.startswith('"') else value
        place = found.end()
        assert place == len(line) or line[place] == " "
        place += 1
    return fields


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """No handler of a test stays."""
    root = logging.getLogger()
    level = root.level
    yield
    Log("logfmt", "info").close()
    root.setLevel(level)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "duly.log"


def lines(file: Path) -> list[str]:
    return file.read_text("utf-8").splitlines()


def test_an_event_is_one_logfmt_line(file: Path) -> None:
    """ts, level, event and task_id come first; None is left out."""
    log = Log("logfmt", "info", str(file))
    log.emit("attempt.failed", error="no, thank you", code=None, retry=2, share=0.5, task_id="t-1", ok=True)
    [line] = lines(file)
    assert re.match(
        r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=warning event=attempt.failed task_id=t-1 ", line
    )
    assert line.endswith('error="no, thank you" retry=2 share=0.5 ok=true')


def test_an_event_is_one_json_line(file: Path) -> None:
    """The same fields as one object, with their types."""
    log = Log("json", "info", str(file))
    log.emit("attempt.finished", task_id="t-1", retry=2, tags=["a"], of={"x": 1}, share=float("nan"))
    [line] = lines(file)
    said = json.loads(line)
    assert said.pop("ts").endswith("Z")
    assert said == json.loads(
        json.dumps({**said, "level": "info", "event": "attempt.finished", "task_id": "t-1"})
    )
    assert said["share"] == "nan"


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), ANY_TEXT, max_size=5))
def test_no_value_forges_a_logfmt_line(fields: dict[str, str]) -> None:
    """Whatever the values hold, the line is one line without control characters and reads back the same."""
    line = logfmt(fields)
    assert line.isprintable()
    assert parsed(line) == fields


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | st.floats() | st.lists(ANY_TEXT), max_size=5))
def test_no_value_forges_a_json_line(fields: dict[str, Any]) -> None:
    """One printable line of valid JSON, whatever the keys and values hold."""
    line = json_line(fields)
    assert line.isprintable()
    assert len(json.loads(line)) == len(fields)


@given(key=ANY_TEXT | st.sampled_from(["ts", "event", "level", "event ", "ts="]), value=ANY_TEXT)
def test_no_key_forges_a_line(key: str, value: str) -> None:
    """A hostile key cannot name another event, time or level."""
    record = logging.makeLogRecord({"duly_event": "a.b", "duly_fields": {key: value}, "levelname": "INFO"})
    said = parsed(LineFormatter("logfmt").format(record))
    assert (said["event"], said["level"], len(said)) == ("a.b", "info", 4)
    assert said["ts"] == iso(int(record.created * 1000))


def test_terminal_sequences_are_neutralised(file: Path) -> None:
    """ESC, C1 controls, bidirectional overrides and line separators are shown as escapes."""
    Log("logfmt", "info", str(file)).emit("a.b", text="\x1b[2J\x9b31m\u202e\u2028\x07\r\nts=1 event=forged")
    [line] = lines(file)
    assert r'text="\u001b[2J\u009b31m\u202e\u2028\u0007\r\nts=1 event=forged"' in line


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("attempt.finished", "info"),
        ("attempt.failed", "warning"),
        ("attempt.record_failed", "warning"),
        ("attempt.lease_lost", "warning"),
        ("session.lost", "warning"),
        ("store.warning", "warning"),
        ("store.call_failed", "error"),
        ("worker.unready", "error"),
        ("worker.ready_again", "info"),
        ("delivery.dead", "error"),
        ("child.died", "error"),
        ("warning", "warning"),
    ],
)
def test_the_level_follows_from_the_event(name: str, level: str) -> None:
    """A table says how loud an event is."""
    assert logging.getLevelName(level_of(name)).lower() == level


def test_what_lies_below_the_level_is_not_written(file: Path) -> None:
    """debug needs log_level = debug; a level given with the event counts."""
    log = Log("logfmt", "warning", str(file))
    log.emit("attempt.finished")
    log.emit("attempt.started")
    log.emit("task.log", level="error", message="broken")
    [line] = lines(file)
    assert parsed(line)["level"] == "error"


def test_a_second_log_does_not_double_the_lines(file: Path) -> None:
    """The last log made in a process writes; the events of the first go there too."""
    first = Log("logfmt", "info", str(file))
    first.adopt()
    second = Log("json", "info", str(file))
    second.adopt()
    first.emit("a.b", n=1)
    second.emit("a.b", n=2)
    logging.getLogger("user").info("three")
    assert [json.loads(line).get("n") for line in lines(file)] == [1, 2, None]
    first.close()


async def test_lines_of_an_attempt_carry_its_task(file: Path) -> None:
    """Events and records of the user's own loggers have the task that the code belongs to, each its own."""
    log = Log("logfmt", "info", str(file))
    log.adopt()

    async def attempt(id_: str) -> None:
        current_task.set(id_)
        await asyncio.sleep(0)
        await asyncio.to_thread(logging.getLogger("user.code").info, "working on %s", id_)
        log.emit("a.b", of=id_)

    await asyncio.gather(attempt("t-1"), attempt("t-2"))
    logging.getLogger("user.code").info("outside")
    await asyncio.sleep(0)
    said = [parsed(line) for line in lines(file)]
    for id_ in ("t-1", "t-2"):
        mine = [one for one in said if one.get("task_id") == id_]
        assert [one.get("message") or one.get("of") for one in mine] == [f"working on {id_}", id_]
    assert "task_id" not in said[-1]


async def test_the_lines_of_a_turn_are_written_together(file: Path) -> None:
    """When the loop comes by, or with the first warning; outside a loop at once."""
    log = Log("logfmt", "info", str(file))
    log.emit("a.first")
    assert lines(file) == []
    log.emit("a.second", level="warning")
    assert [parsed(line)["event"] for line in lines(file)] == ["a.first", "a.second"]
    log.emit("a.third")
    await asyncio.to_thread(log.emit, "a.fourth")
    assert [parsed(line)["event"] for line in lines(file)][2:] == ["a.third", "a.fourth"]
    log.emit("a.fifth")
    await asyncio.sleep(0)
    assert len(lines(file)) == 5


def test_a_loop_that_ended_with_lines_does_not_keep_them(file: Path) -> None:
    """The next loop's first line asks for its own turn."""
    log = Log("logfmt", "info", str(file))

    async def say(name: str, turns: int) -> None:
        log.emit(name)
        for _ in range(turns):
            await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.call_soon(log.emit, "a.first")
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()
    asyncio.run(say("a.second", 1))
    assert [parsed(line)["event"] for line in lines(file)] == ["a.first", "a.second"]


def test_a_fork_does_not_write_what_its_parent_gathered(file: Path) -> None:
    """Lines of the turn in which a handler forked are written once."""
    log = Log("logfmt", "info", str(file))

    def fork() -> None:
        log.emit("a.parent")
        child = os.fork()
        if child == 0:
            log.emit("a.child", level="warning")
            os._exit(0)
        os.waitpid(child, 0)

    async def handler() -> None:
        fork()

    asyncio.run(handler())
    log.close()
    assert sorted(parsed(line)["event"] for line in lines(file)) == ["a.child", "a.parent"]


def test_an_exception_is_one_line(file: Path) -> None:
    """A traceback stays within its line."""
    log = Log("logfmt", "info", str(file))
    log.adopt()
    try:
        int("first\nsecond")
    except ValueError:
        logging.getLogger("user").exception("it broke")
    [line] = lines(file)
    assert parsed(line)["message"] == "it broke"
    assert "ValueError: invalid literal for int() with base 10: 'first\\nsecond'" in parsed(line)["traceback"]


def test_a_record_with_wrong_arguments_is_still_written() -> None:
    """A user's slip in a log call costs the arguments, not the line."""
    record = logging.LogRecord("user", logging.INFO, "", 1, "%d tasks", ("many",), None)
    assert parsed(LineFormatter("logfmt").format(record))["message"] == "%d tasks"


def test_a_full_process_does_not_fill_its_log(file: Path) -> None:
    """asyncio's complaint of no descriptor comes once a second; what else it says always comes."""
    log = Log("json", "info", str(file))
    log.adopt()
    full = "socket.accept() out of system resource\nsocket: 5"
    for message, at in [
        (full, 1),
        (full, 1.5),
        (full, 2.5),
        ("Task was destroyed", 3),
        ("Task was destroyed", 3),
    ]:
        record = {"name": "asyncio", "levelno": logging.ERROR, "msg": message, "created": at}
        logging.getLogger().handle(logging.makeLogRecord(record))
    log.close()
    said = [json.loads(line)["message"].partition("\n")[0] for line in file.read_text().splitlines()]
    assert said == ["socket.accept() out of system resource"] * 2 + ["Task was destroyed"] * 2


def test_secrets_are_masked(file: Path) -> None:
    """By the name of their key, also nested, and in exceptions."""
    log = Log("logfmt", "info", str(file))
    error = RuntimeError("POST https://x/?access_token=hunter2")
    log.emit("a.b", token="hunter2", headers={"Authorization": "hunter2", "n": 1}, error=error)
    log.emit("a.c", path="/api/callbacks/01a2/film/hunter2-hunter2-hunter2")
    line, of_a_callback = lines(file)
    assert "hunter2" not in line + of_a_callback
    assert "/api/callbacks/01a2/film/***" in of_a_callback
    assert parsed(line)["headers"] == '{"Authorization": "***", "n": 1}'


def test_nothing_that_is_emitted_raises(file: Path) -> None:
    """A value that cannot be shown is named by its type."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    for form in ("logfmt", "json"):
        Log(form, "info", str(file)).emit(
            "a.b", broken=Broken(), deep={"a": Broken()}, keys={1: 2}, big="x" * 10**6
        )
    assert len(lines(file)) == 2
    assert all("<Broken>" in line and len(line) < 10_000 for line in lines(file))


def test_rotation_may_move_the_file(file: Path) -> None:
    """After a move the next line begins a new file."""
    log = Log("logfmt", "info", str(file))
    log.emit("a.b", n=1)
    file.rename(file.with_suffix(".1"))
    log.emit("a.b", n=2)
    assert parsed(lines(file)[0])["n"] == "2"
    assert parsed(lines(file.with_suffix(".1"))[0])["n"] == "1"


def test_threads_do_not_mix_lines(file: Path) -> None:
    """Lines of many threads stay whole."""
    log = Log("logfmt", "info", str(file))

    def write() -> None:
        for n in range(50):
            log.emit("a.b", n=n, text="x" * 500)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([parsed(line) for line in lines(file)]) == 400


def test_without_a_file_lines_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """stderr as it is at that moment; stdout stays the program's."""
    log = Log("logfmt", "info")
    log.emit("a.b", n=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert parsed(captured.err.strip())["n"] == "1"


def test_the_hosts_logging_is_left_alone() -> None:
    """Making a log touches no logger but Duly's own."""
    root = logging.getLogger()
    before = list(root.handlers), root.level
    Log("logfmt", "debug")
    assert (root.handlers, root.level) == before


def test_a_wrong_format_or_level_is_refused() -> None:
    """The words of the settings, and no others."""
    for form, level in (("xml", "info"), ("json", "loud")):
        with pytest.raises(ValueError, match="logfmt or json"):
            Log(form, level)


def test_the_import_is_light_and_configures_nothing() -> None:
    """The supervising parent imports it: no pydantic, no SQLAlchemy, no asyncio, no handler."""
    code = (
        "import sys, logging, duly.observe.logs\n"
        "heavy = {'pydantic', 'sqlalchemy', 'asyncio', 'httpx2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert not logging.getLogger().handlers and not logging.getLogger('duly').handlers\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
