"""The README's tables: each name of the document that the desk follows is here, or a deviation says why."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desks import Desk
from typer.testing import CliRunner

import duly
import duly_apps.tender as app
from duly.cli.main import app as command_line
from duly.config import load
from duly.llm.providers import read
from duly.model.state import Status
from duly.observe.figures import BACKLOG, FAILED_PERCENT, MEAN_SECONDS
from duly.runtime.loops import Loop
from duly.store.views import TASKS
from duly_apps.tender.model import ENGINE_ENV, MODEL_ENV
from duly_apps.tender.parts import AT_ONCE_ENV
from support.patience import PATIENCE

ROOT = Path(__file__).parents[3]
HERE = Path(app.__file__).parent
SOURCES = Path(duly.__file__).parents[1]
README = (HERE / "README.md").read_text("utf-8")
#: Rows of the acceptance list that this app answers for.
ROWS = [f"001-{number:02d}" for number in range(1, 44)]


def table(title: str) -> list[list[str]]:
    """The rows under a heading, as cells."""
    part = README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


NAMES = table("The document it follows, name by name")


def variables() -> dict[str, str]:
    """The example of the environment, as a shell reads it."""
    text = (HERE / ".env.example").read_text("utf-8")
    return dict(part.split("=", 1) for part in shlex.split(text, comments=True))


def is_command(here: str) -> bool:
    answer = CliRunner().invoke(command_line, [*here.split()[1:], "--help"])
    return answer.exit_code == 0 and here.rsplit(maxsplit=1)[-1] in answer.output


def is_symbol(here: str) -> bool:
    module, _, name = here.partition(":")
    return callable(getattr(importlib.import_module(module), name))


def is_setting(here: str) -> bool:
    values: dict[str, str] = {"port": "8000", "log_file": "worker.log"}
    return load({}, environ={f"DULY_{here.upper()}": values.get(here, "7")}) != load({}, environ={}) or (
        load({}, environ={}).model_dump()[here] == int(values[here])
    )


def is_timeout(here: str) -> bool:
    _, providers = read(json.loads(variables()["DULY_LLM"]))
    return any(here in provider.timeouts for provider in providers)


def is_extra(here: str) -> bool:
    return f"\n{here} = [" in (ROOT / "pyproject.toml").read_text("utf-8")


def is_logged(here: str) -> bool:
    """The fields of the two events, by their names in the one place that emits them."""
    source = (SOURCES / "duly/llm/desk.py").read_text("utf-8")
    return all(f"{name}=" in source for name in here.split(", "))


CHECKS: dict[str, Callable[[str], bool]] = {
    "file": lambda here: (SOURCES / here).is_file(),
    "document": lambda here: (ROOT / here).is_file(),
    "symbol": is_symbol,
    "command": is_command,
    "setting": is_setting,
    "timeout": is_timeout,
    "extra": is_extra,
    "log": is_logged,
    "log line": lambda here: f'"{here}"' in (SOURCES / "duly/observe/lines.py").read_text("utf-8"),
    "task type": lambda here: here in {kind.name for kind in app.duly.registry},
    "column": lambda here: all(re.search(rf"\b{here}\b", one) for one in TASKS.values()),
    "status": lambda here: here in set(Status),
    "sql": lambda here: len(re.findall(rf"```sql \w+\n[^`]*\b{here}\b", README)) == 3,
    "deviation": lambda here: len(here) > 5,
}
#: Those that only a running API can say.
ASKED = ("route", "metric", "alert")


LOOKED_UP = [row for row in NAMES if row[1] not in ASKED]


@pytest.mark.parametrize("row", LOOKED_UP, ids=lambda row: re.sub(r"\W+", "-", row[0])[:40].strip("-"))
def test_each_name_is_there(row: list[str]) -> None:
    """A file lies there, a command answers, a setting is known, a column is in the view."""
    _, kind, here = row
    assert CHECKS[kind](here if kind == "deviation" else bare(here)), row


async def test_each_route_and_figure_is_there(desk: Desk) -> None:
    """A route is routed, a figure and an alarm are told."""
    wanted = [(kind, bare(here)) for _, kind, here in NAMES if kind in ASKED]
    assert [row for row in wanted if not await asked(desk, *row)] == []
    assert len(wanted) > 15


def bare(here: str) -> str:
    """A name without its backticks."""
    match = re.fullmatch(r"`([^`]+)`", here)
    assert match is not None, here
    return match[1]


async def asked(desk: Desk, kind: str, name: str) -> bool:
    """Whether the API has the route, the figure, the alarm."""
    if kind == "route":
        return name in desk.routes()
    async with desk.administrator() as admin:
        told = (await admin.get("/api/monitoring")).json()
    return name in (told if kind == "metric" else {alert["code"] for alert in told["alerts"]})


def test_the_kinds_of_rows_are_known() -> None:
    """And there is something of each."""
    assert {row[1] for row in NAMES} == {*CHECKS, *ASKED}
    assert len(NAMES) > 70


def test_the_alarms_are_those_of_the_document() -> None:
    """Ten percent, two minutes, fifty tasks."""
    assert (FAILED_PERCENT, MEAN_SECONDS, BACKLOG) == (10, 120, 50)


def test_the_example_of_the_environment_is_known() -> None:
    """Every line is a setting; the worker's have the values of that document, the models its timeouts."""
    settings = load({}, environ=variables())
    assert (settings.poll, settings.concurrency, settings.max_consecutive_errors) == (2.0, 5, 10)
    _, providers = read(settings.llm)
    timeouts = {one.name: dict(one.timeouts) for one in providers}
    assert timeouts == {
        "openai": {"bidding_analysis": 90},
        "dashscope": {"workload_split": 60},
        "azure": {"bidding_analysis": 120},
    }


def test_the_example_names_what_else_there_is() -> None:
    """Commented: the variables of the engine, and a key for each provider."""
    text = (HERE / ".env.example").read_text("utf-8")
    keys = {one.key_env for one in read(json.loads(variables()["DULY_LLM"]))[1]}
    engine = {ENGINE_ENV, MODEL_ENV, AT_ONCE_ENV}
    assert set(re.findall(r"^# ([A-Z_]+)=", text, re.MULTILINE)) == keys | engine


def test_two_names_of_one_setting_are_refused() -> None:
    """Or one of them would be silently ignored."""
    from duly.config import SettingsError

    with pytest.raises(SettingsError, match="two names of one setting"):
        load({}, environ={"DULY_POLL": "1", "DULY_POLL_INTERVAL": "2"})


def test_the_backoff_is_two_four_eight() -> None:
    """Seconds before the first, second and third retry, without their jitter."""
    for kind in app.duly.registry:
        policy = kind.policy
        assert (policy.max_retries, [policy.base * 2**n for n in range(3)]) == (3, [2, 4, 8])


async def test_a_worker_with_errors_is_unready_and_goes_on() -> None:
    """After as many errors in a row as the setting says; the next good tick ends that."""
    import asyncio

    told: list[str] = []
    wrong, good = asyncio.Event(), asyncio.Event()

    async def tick() -> None:
        if not good.is_set():
            raise OSError("away")

    def heard(event: str, **fields: Any) -> None:
        told.append(event)
        if event == "worker.unready":
            wrong.set()
            good.set()
        if event == "worker.ready_again":
            over.set()

    over = asyncio.Event()
    loop = Loop("claim", 0.001, tick, emit=heard)
    loop.unready_after = 2
    loop.start()
    async with asyncio.timeout(PATIENCE):
        await over.wait()
    await loop.stop()
    assert told == ["loop.failed", "worker.unready", "worker.ready_again"]


def test_each_row_is_answered() -> None:
    """By a sentence and a test that is there."""
    rows = table("The rows of the acceptance list")
    assert sorted(row[0] for row in rows) == sorted([*ROWS, "001-38b"])
    for name, how, test in rows:
        assert re.match(r"met|deviation|decided", how), name
        path, _, function = test.strip("`").partition("::")
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        names = {getattr(one, "name", "") for one in tree.body}
        assert not function or function in names, (name, test)
