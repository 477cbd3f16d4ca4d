"""What a handler forks or starts: it inherits nothing that would disturb the worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

APP = """
import multiprocessing, os, signal
from duly import BlockingContext, Duly

duly = Duly()

def square(number):
    return number * number

@duly.task("pool", max_retries=0, timeout=20)
def pool(ctx: BlockingContext):
    with multiprocessing.get_context("fork").Pool(2) as workers:
        return workers.map(square, [1, 2, 3])

@duly.task("inheritable", max_retries=0)
def inheritable(ctx: BlockingContext):
    return [one for one in map(int, os.listdir("/proc/self/fd")) if one > 2 and open_to_offspring(one)]

@duly.task("stops", max_retries=0)
def stops(ctx: BlockingContext):
    os.kill(os.getpid(), signal.SIGTERM)

def open_to_offspring(descriptor):
    try:
        return os.get_inheritable(descriptor)
    except OSError:  # the listing's own
        return False
"""


APPS = ("--app", "offspring:duly")


def duly(folder: Path, *arguments: str) -> str:
    """What a real command prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
    kept["DULY_THREADS"] = "1"
    command = [sys.executable, "-m", "duly.cli", *arguments]
    done = subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def worked(folder: Path, *task_types: str) -> list[Any]:
    """The results of tasks that one supervised worker has run, one after the other."""
    (folder / "offspring.py").write_text(APP)
    tasks = [json.loads(duly(folder, "submit", one, "--json", *APPS)) for one in task_types]
    duly(folder, "worker", "--once", *APPS)
    return [json.loads(duly(folder, "show", task["id"], "--json"))["task"]["result"] for task in tasks]


def test_a_handler_may_fork_a_pool(tmp_path: Path) -> None:
    """The pool ends its workers with SIGTERM; ours does not take that for its own and goes on."""
    assert worked(tmp_path, "pool", "pool", "pool") == [[1, 4, 9]] * 3


def test_a_command_that_a_handler_starts_inherits_no_socket(tmp_path: Path) -> None:
    """The port and the control pipe are not held by what outlives the worker."""
    assert worked(tmp_path, "inheritable") == [[]]


def test_a_fork_lets_go_of_the_port(tmp_path: Path) -> None:
    """A fork that outlives us does not hold the listening socket; for us it stays open."""
    script = """
import os, socket, stat
from duly.runtime.child import keep_from_offspring
from duly.runtime.handover import Handover
control, listener = socket.socketpair()[0], socket.create_server(("127.0.0.1", 0))
keep_from_offspring(
    Handover(mode="serve", settings={}, control=control.fileno(), sockets=[listener.fileno()])
)
def sockets():
    return sum(stat.S_ISSOCK(os.fstat(one.fileno()).st_mode) for one in (control, listener))
if (pid := os.fork()) == 0:
    os._exit(sockets())
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), sockets())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["0", "2"], "")


def test_a_stop_signal_to_the_child_alone_does_not_end_the_service(tmp_path: Path) -> None:
    """Twice a handler sends SIGTERM to its process: each time it drains, and another takes its place."""
    (tmp_path / "offspring.py").write_text(APP)
    command = [sys.executable, "-m", "duly.cli", "worker", *APPS]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as worker:
        try:
            for _ in range(2):
                duly(tmp_path, "submit", "stops", "--wait=40", *APPS)  # exit code 0: it has completed
        finally:
            worker.terminate()
        assert worker.wait(30) == 0
