"""A tender analysed by a model, its worker killed half-way, and what the model's server billed.

`make demo-llm`. The model is `duly fake-llm`: scripted, no model is asked, its prices are made up. All else
is real: a `duly serve` with the tender desk, a PDF handed in over HTTP, a `kill -9` in the middle. The bill,
kept by the other side, must show each call once. Prints one JSON line last; exits 1 if that does not hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from duly.documents import read
from duly_apps.tender.samples import sample
from support import tender_script  # type: ignore[import-not-found]
from support.serving import awaited, serving  # type: ignore[import-not-found]

SECONDS = 120.0
SOURCE = Path(__file__).resolve().parents[1] / "src"
TABLE = """
[llm.providers.scripted]
base_url = "{url}"
model = "scripted-1"
prices = {{ scripted-1 = {{ prompt = 2.5, completion = 10, currency = "CNY", as_of = "2026-11-01" }} }}
"""


@contextmanager
def model(folder: Path, script: str) -> Iterator[str]:
    """The address of a `duly fake-llm` with this script."""
    (folder / "script.toml").write_text(script, "utf-8")
    command = [sys.executable, "-m", "duly.cli", "fake-llm", "--port", "0", "--script", "script.toml"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().split()[1] if process.stdout else ""
    finally:
        process.terminate()
        process.wait(10)


def told(text: str) -> None:
    """One line of the story."""
    print(text, flush=True)


def analysed(client: httpx2.Client, file: Path) -> dict[str, Any]:
    """The task of the analysis of this file, once it has ended."""
    with file.open("rb") as data:
        accepted = client.post("/api/tasks/bidding/file", files={"file": (file.name, data)}).json()
    told(f"accepted: {file.name} is task {accepted['id']}")
    task: dict[str, Any] = awaited(client, accepted["id"], SECONDS)
    return task


def play(folder: Path, file: Path, kill_after: int) -> dict[str, Any]:
    """The story; answers its figures."""
    script = tender_script.script(read(file.read_bytes(), file.name), latency=0.05)
    with model(folder, script) as url:
        told(f"scripted model: {url} (no model is asked; its prices are made up)")
        (folder / "duly.toml").write_text(TABLE.format(url=url), "utf-8")
        mark = folder / "killed"
        # One call at a time: of several, those under way at the kill would be paid again.
        more = {"TENDER_ENGINE": "model", "TENDER_AT_ONCE": "1"}
        more["DULY_FAILPOINTS"] = f"chat.recorded=kill@{kill_after}?{mark}"
        with serving(folder, "duly_apps.tender:duly", SOURCE, **more) as (address, token):
            headers = {"Authorization": f"Bearer {token}"}
            with httpx2.Client(base_url=address, headers=headers, timeout=30, trust_env=False) as client:
                task = analysed(client, file)
                ledger = client.get("/api/usage", params={"by": "model"}).json()["rows"]
                events = client.get(f"/api/tasks/{task['id']}/events", params={"limit": 200}).json()
        with httpx2.Client(base_url=url.removesuffix("/v1"), trust_env=False) as client:
            bill = client.get("/_bill").json()
    return figures(task, bill, ledger, events, int(mark.read_text()))


def figures(task: Any, bill: Any, ledger: Any, events: Any, pid: int) -> dict[str, Any]:
    """What was seen; `held` is whether all of it is as promised."""
    told(f"killed: process {pid}, kill -9, right after an answer was recorded")
    steps = [one for one in events["events"] if one["type"] == "step" and "[" in one["data"]["name"]]
    first = sum(one["data"]["attempt"] == 1 for one in steps)
    told(f"went on: {first} answers were read from the record, attempt {task['attempt']} asked for the rest")
    found = [item for tab in task["result"]["tabs"] for item in tab["items"] if item["value"] is not None]
    twice = sum(count > 1 for count in bill["by_prompt"].values())
    (row,) = ledger
    told(f"bill of the model's server: {bill['calls']} calls, {twice} of them twice")
    told(f"our ledger: {row['calls']} calls, {row['cost']:.6f} {row['currency']} (made-up prices)")
    told(f"result: {len(found)} findings, each quote checked, {task['result']['dropped']} dropped")
    seen = {
        "scripted": True,
        "calls": len(bill["by_prompt"]),
        "billed": bill["calls"],
        "billed_twice": twice,
        "ledger_calls": row["calls"],
        "attempts": task["attempt"],
        "killed_pid": pid,
        "findings": len(found),
        "dropped": task["result"]["dropped"],
        "cost": row["cost"],
        "currency": row["currency"],
    }
    billed_once = twice == 0 and len(bill["by_prompt"]) == bill["calls"] == row["calls"]
    held = billed_once and task["status"] == "completed" and task["attempt"] == 2 and found
    return {"demo": "ok" if held else "failed", **seen}


def main() -> int:
    """Plays it and prints the line."""
    parser = argparse.ArgumentParser(description="A model's analysis through a kill, and its bill.")
    parser.add_argument("--file", type=Path, default=sample("smart-campus-zh.pdf"), help="a tender")
    parser.add_argument("--kill-after", type=int, default=6, help="recorded answers before the kill")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="duly-demo-llm-") as folder:
        seen = play(Path(folder), asked.file.resolve(), asked.kill_after)
    print(json.dumps({**seen, "seconds": round(time.monotonic() - began, 1)}, separators=(",", ":")))
    return 0 if seen["demo"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
