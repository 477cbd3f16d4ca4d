"""Measures an idle `duly serve`: resident memory and CPU of parent and child. Prints one JSON line.

`make idle` (SECONDS=30). Exits 1 over 120 MB or 1 % of one CPU.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

LIMIT_MB = 120.0
LIMIT_PERCENT = 1.0


def processes(root: int) -> list[int]:
    """The process and its children."""
    out = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(root)], capture_output=True, text=True, check=False
    )
    return [root, *map(int, out.stdout.split())]


def cpu_seconds(pids: list[int]) -> float:
    """Time on a processor so far, of all threads, in the scheduler's nanoseconds: ticks are too coarse."""
    files = [file for pid in pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


def rss_mb(pids: list[int]) -> float:
    """Resident memory, shared pages counted in each process."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def wait_ready(port: int) -> None:
    """Returns when the API answers; fails after 30 seconds."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not become ready")


def main(seconds: float) -> int:
    """Starts a server, lets it settle, measures, stops it."""
    port = int(os.environ.get("PORT", "8797"))
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(Path(sys.executable).with_name("duly")),
            "serve",
            "--apps",
            "tender",
            "--port",
            str(port),
        ]
        with (Path(folder) / "log").open("w") as log:
            server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            wait_ready(port)
            time.sleep(3)
            pids = processes(server.pid)
            before, start = cpu_seconds(pids), time.monotonic()
            time.sleep(seconds)
            percent = 100 * (cpu_seconds(pids) - before) / (time.monotonic() - start)
            memory = rss_mb(pids)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(40)
    print(
        json.dumps(
            {"idle_rss_mb": round(memory, 1), "idle_cpu_percent": round(percent, 2), "seconds": seconds}
        )
    )
    return int(memory > LIMIT_MB or percent > LIMIT_PERCENT)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 30))
