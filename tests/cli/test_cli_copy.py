"""`duly db copy` as people and scripts run it: killed, started again, with submitters, and what it says."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_under_test import APP, PATIENCE, Shell, environment

from duly.cli import moving
from duly.store.copying import seal, side
from duly.store.copying.side import Side
from duly.store.database import Database
from support import copies, crowding, invariants, servers
from support.cluster import until

Submit = Callable[..., dict[str, Any]]
KINDS = [
    pytest.param(kind, marks=[pytest.mark.services] if kind != "sqlite" else [])
    for kind in ("sqlite", *servers.KINDS)
]
SOURCE = "sqlite:///duly.db"


def command(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    """A real process."""
    told = [sys.executable, "-m", "duly.cli", "db", "copy", *arguments, "--json"]
    pipe = subprocess.PIPE
    return subprocess.Popen(told, env=environment(**variables), stdout=pipe, stderr=pipe, text=True)


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it answered."""
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


@pytest.mark.parametrize("kind", KINDS)
def test_a_move_in_one_command(kind: str, shell: Shell, submit: Submit, folder: Path) -> None:
    """It says what moved; the source answers that it has, the new database has the tasks."""
    task = submit("greet", "name=Ann")
    to = copies.Rooms(folder).place(kind)
    said = shell("db", "copy", SOURCE, to, "--yes", "--json").json
    assert (said["moved"], said["handed_back"], said["tables"]["task"]["rows"]) == (True, 0, 1)
    assert len(said["tables"]["task"]["checksum"]) == 32
    refused = shell("submit", "greet", "name=Bob", "--app", APP)
    assert (refused.code, len(refused.problems)) == (2, 1)
    assert refused.problems[0].startswith("this installation has moved to ")
    assert [one["id"] for one in shell("ls", "--database-url", to, "--json").json["tasks"]] == [task["id"]]
    assert shell("db", "check", "--database-url", to, "--json").json["verdict"] == "equal"
    assert shell("db", "check").code == 0
    again = shell("db", "copy", SOURCE, to, "--yes")
    assert (again.code, "it has moved already" in again.problems[0]) == (2, True)


def test_what_it_says_in_both_languages(shell: Shell, submit: Submit, folder: Path) -> None:
    """Text for people; nothing of it is a traceback."""
    submit("greet", "name=Ann")
    said = shell("db", "copy", SOURCE, f"sqlite:///{folder}/new.db", "--yes")
    assert "1 tasks, 4 rows" in " ".join(said.out.split())  # a long path makes it wrap anywhere
    assert "stays sealed" in " ".join(said.out.split())
    assert shell("db", "unseal", SOURCE).code == 2
    assert "is open again" in shell("db", "unseal", SOURCE, "--yes").out
    assert "is not sealed" in shell("db", "unseal", SOURCE, "--yes").problems[0]
    assert submit("greet", "name=Bob")["status"] == "pending"
    said = shell("db", "copy", SOURCE, f"sqlite:///{folder}/newer.db", "--yes", "--lang", "zh")
    assert "2个任务" in "".join(said.out.split())
    assert "保持封存" in "".join(said.out.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((SOURCE, "sqlite:///new.db"), "add --yes, or --follow"),
        ((SOURCE, SOURCE, "--yes"), "the same database"),
        (("sqlite:///none.db", "sqlite:///new.db", "--yes"), "there is no database"),
        ((SOURCE, "mongodb://x/y", "--yes"), "is not supported"),
    ],
)
def test_what_cannot_be_moved_is_one_line(
    arguments: tuple[str, ...], words: str, shell: Shell, submit: Submit
) -> None:
    """And the source stays open."""
    submit("greet", "name=Ann")
    said = shell("db", "copy", *arguments)
    assert (said.code, len(said.problems)) == (2, 1)
    assert words in said.problems[0]
    assert submit("greet", "name=Bob")["status"] == "pending"


def test_follow_keeps_up_until_it_is_told(
    shell: Shell, submit: Submit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends it with the source open; the same command without --follow goes on from there."""
    submit("greet", "name=Ann")
    to = f"sqlite:///{folder}/new.db"

    def interrupted(move: Any, screen: Any, display: Any) -> None:
        def keep_up() -> int:
            raise KeyboardInterrupt

        move.keep_up = keep_up
        follow(move, screen, display)

    follow = moving._follow
    monkeypatch.setattr(moving, "_follow", interrupted)
    assert "without --follow moves" in shell("db", "copy", SOURCE, to, "--follow").out
    refused = shell("ls", "--database-url", to)
    assert (refused.code, "is being filled" in refused.problems[0]) == (2, True)
    submit("greet", "name=Bob")
    assert shell("db", "copy", SOURCE, to, "--yes", "--json").json["tables"]["task"]["rows"] == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "point",
    [
        "copy.part=kill@4",
        "copy.part=kill@30",
        "copy.sealed=kill",
        "copy.verified=kill@9",
        "copy.before_open=kill",
    ],
)
def test_a_killed_copy_goes_on(kind: str, point: str, folder: Path) -> None:
    """Wherever it dies: started again with the same command, it ends with every row there."""
    rooms = copies.Rooms(folder)
    source, to = rooms.made("sqlite"), rooms.place(kind)
    copies.fill(source, 3)
    killed = command(source.url, to, "--yes", DULY_FAILPOINTS=point)
    assert killed.wait(PATIENCE) == -signal.SIGKILL
    finished(command(source.url, to, "--yes"))
    assert copies.unlike(source, Database(to)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_submitters_lose_nothing(kind: str, folder: Path, submit: Submit) -> None:
    """Threads of another process submit until they are refused: what was acknowledged is there."""
    submit("greet", "name=Ann")
    acknowledged = folder / "acknowledged"
    crowd = crowding.start(SOURCE, acknowledged)
    try:
        asyncio.run(until(lambda: len(acknowledged.read_text().splitlines()) > 100, PATIENCE))
        to = copies.Rooms(folder).place(kind)
        answer = finished(command(SOURCE, to, "--yes"))
        assert crowd.wait(PATIENCE) == 0
    finally:
        crowd.kill()
        crowd.wait()
    kept = {row[0] for row in copies.rows(Database(to))["task"]}
    accepted = set(acknowledged.read_text().split())
    assert accepted - kept == set()
    assert len(kept) == answer["tables"]["task"]["rows"] >= len(accepted) + 1
    invariants.check(Database(to))


def test_a_seal_that_was_cut_off_is_ended(shell: Shell, submit: Submit, folder: Path) -> None:
    """A row that says sealed, and not all triggers: the next run makes them."""
    submit("greet", "name=Ann")
    to = folder / "new.db"
    half = Side(Database(SOURCE))
    seal.sealed.create(half.core)
    half.core.execute(seal.sealed.insert(), {"destination": str(to)})
    shell("db", "copy", SOURCE, f"sqlite:///{to}", "--yes", "--json")
    found = half.core.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").scalar()
    half.close()
    assert found == 3 * len(side.tables())
