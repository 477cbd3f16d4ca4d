"""Real processes that tick the same schedules at full speed: each tick is one task, whoever submits it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest

from duly.model.calendar import Every
from duly.model.schedule import CatchUp, Schedule
from duly.model.task import Conditions
from duly.store import lists, schedules
from duly.store.schedules import Wish
from support.stores import Store

SECONDS = 60
NAMES = ("fast.a", "fast.b", "fast.c")

#: A worker's ticker under a clock of its own, which goes on by a second after each look.
PROCESS = """
import asyncio, json, sys
from duly.claim.ticker import Ticker
from duly.store.database import Database
from duly.testing import FakeClock

said = []

async def nothing(): ...

async def main(url, seconds):
    clock = FakeClock()
    database = Database(url, clock=clock)
    database.open()
    ticker = Ticker(database, emit=lambda name, **fields: said.append((name, fields)), sync=nothing)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(seconds):
        clock.advance(1)
        await ticker.tick()
    database.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
print(json.dumps(said))
"""


@pytest.mark.only("wal", "postgres", "mariadb")
def test_two_processes_submit_each_tick_once(store: Store) -> None:
    """Three schedules that tick each second, two processes that look as fast as they can."""
    told = Conditions(task_type="demo")
    for name in NAMES:
        fast = Schedule(
            name=name, rhythm=Every(every_ms=1_000), input="{}", conditions=told, catch_up=CatchUp.ALL
        )
        store.write(schedules.keep, Wish(fast))
    command = [sys.executable, "-c", PROCESS, store.database.url, str(SECONDS)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    found = store.read(lists.page, lists.Filter(), limit=10_000)
    counted = Counter((task.metadata["schedule"], task.metadata["tick"]) for task in found)
    assert len(counted) == len(NAMES) * SECONDS
    assert set(counted.values()) == {1}
    submitted = [sum(fields["tasks"] for _, fields in lines) for lines in said]
    assert sum(submitted) == len(found)
    assert all(name == "schedule.ticked" for lines in said for name, _ in lines)
