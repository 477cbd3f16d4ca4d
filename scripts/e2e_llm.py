"""A real, small model through the whole system: answers recorded once, streamed, shaped, delivered.

`make e2e-llm`. SmolLM2 with 135 million parameters, on this machine's processor, behind a real server
(scripts/local_model.py); a `duly serve`; tasks handed in over HTTP. Half-way the process is killed with
`kill -9`. What the model says is worth little, and that is of use: nobody has scripted its slips. The oracle
is the model server's own counter of tokens: our ledger must show the same. Prints one JSON line last; exits 1
if something does not hold.
"""

from __future__ import annotations

import json
import os
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

from support.interview_app import SHORT  # type: ignore[import-not-found]
from support.serving import awaited, serving  # type: ignore[import-not-found]

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 300.0
KILL_AFTER = 3
QUESTIONS = (
    "What is the capital of France?",
    "Why is the sky blue?",
    "Write one sentence about rain.",
    "What do cats eat?",
    "用一句话介绍北京。",
    "Which month comes after May?",
)
TABLE = """
[llm.providers.smollm]
base_url = "{url}/v1"
model = "SmolLM2-135M-Instruct"
prices.SmolLM2-135M-Instruct = {{ prompt = 0, completion = 0, currency = "EUR", as_of = "2026-11-29" }}
"""


class Model:
    """The model's process: where it listens, and, once it has ended, what it counted."""

    url: str
    counted: dict[str, int]


@contextmanager
def model() -> Iterator[Model]:
    """The model's server, and afterwards its counters."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build" / "local-model")}
    command = [sys.executable, str(ROOT / "scripts" / "local_model.py")]
    one = Model()
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        one.url = process.stdout.readline().strip() if process.stdout else ""
        if not one.url:
            log.seek(0)
            raise SystemExit(f"the model's server did not start: {log.read()[-500:]}")
        try:
            yield one
        finally:
            said, _ = process.communicate(timeout=30)
            one.counted = json.loads(said.splitlines()[-1]) if said else {}


def told(text: str) -> None:
    """One line of the story."""
    print(text, flush=True)


def ended(client: httpx2.Client, type_: str, input_: dict[str, Any]) -> dict[str, Any]:
    """A task of this type, once it has ended."""
    body = {"task_type": type_, "input": input_, "deliver": [{"channel": "inbox"}]}
    accepted = client.post("/api/tasks", json=body).raise_for_status().json()
    task: dict[str, Any] = awaited(client, accepted["id"], SECONDS)
    return task


def streamed(client: httpx2.Client) -> tuple[str, str]:
    """What a story's readers saw grow, and what was recorded of it: the last words may come with the end."""
    accepted = client.post("/api/tasks", json={"task_type": "story", "input": {}}).raise_for_status().json()
    seen, kind = "", ""
    headers = {"Accept": "text/event-stream"}
    with client.stream("GET", f"/api/tasks/{accepted['id']}/events", headers=headers) as stream:
        for line in stream.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data" and kind == "partial":
                seen += json.loads(value)["text"]
    task = client.get(f"/api/tasks/{accepted['id']}", headers={"Prefer": "wait=10"}).json()
    return seen, str(task["result"])


def play(folder: Path) -> dict[str, Any]:
    """The story; answers its figures."""
    mark = folder / "killed"
    with model() as one:
        told(f"model: SmolLM2-135M-Instruct at {one.url}")
        (folder / "duly.toml").write_text(TABLE.format(url=one.url), "utf-8")
        more = {"DULY_FAILPOINTS": f"chat.recorded=kill@{KILL_AFTER}?{mark}"}
        with serving(folder, "support.interview_app:duly", ROOT / "tests", **more) as (address, token):
            headers = {"Authorization": f"Bearer {token}"}
            with httpx2.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as client:
                seen = asked(client)
    held = seen.pop("held") and mark.exists() and one.counted.get("tokens_predicted_total") == seen["tokens"]
    told(f"the model's server has made {one.counted.get('tokens_predicted_total')} tokens")
    return {"e2e": "ok" if held else "failed", **seen, "counted_by_the_model": one.counted}


def asked(client: httpx2.Client) -> dict[str, Any]:
    """All that is asked of the system."""
    task = ended(client, "interview", {"questions": QUESTIONS})
    for question, answer in zip(QUESTIONS, task["result"] or [], strict=False):
        told(f"  {question}  {answer['text']!r} ({answer['finish_reason']})")
    events = client.get(f"/api/tasks/{task['id']}/events", params={"limit": 200}).json()["events"]
    steps = [one["data"]["attempt"] for one in events if one["type"] == "step"]
    told(f"killed after {steps.count(1)} recorded answers; attempt {task['attempt']} asked for the rest")
    shaped, cut = ended(client, "facts", {"max_tokens": 200}), ended(client, "facts", {"max_tokens": 4})
    told(f"as JSON: {shaped['result']}; with four tokens: {cut['result']}")
    seen, kept = streamed(client)
    told(f"streamed while it grew: {len(seen)} characters of {len(kept)}")
    (row,) = client.get("/api/usage", params={"by": "model"}).json()["rows"]
    told(f"our ledger: {row['calls']} calls, {row['completion_tokens']} tokens made")
    unread = client.get("/api/notifications/stats").json()["unread"]
    finished = [answer["finish_reason"] for answer in task["result"] or []]
    held = (
        (task["status"], task["attempt"], steps.count(1)) == ("completed", 2, KILL_AFTER)
        and len(finished) == len(QUESTIONS)
        and all(answer["usage"]["completion_tokens"] <= SHORT for answer in task["result"])
        and cut["result"]["value"] is None
        and kept.startswith(seen)
        and len(seen) > len(kept) / 2
        and unread == 3
    )
    return {
        "held": held,
        "calls": row["calls"],
        "tokens": row["completion_tokens"],
        "attempts": task["attempt"],
        "cut_off": finished.count("length"),
        "shaped": shaped["result"]["value"] is not None,
        "refused_as": cut["result"].get("code"),
        "streamed_characters": len(seen),
        "delivered": unread,
    }


def main() -> int:
    """Plays it and prints the line."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="duly-e2e-") as folder:
        seen = play(Path(folder))
    print(json.dumps({**seen, "seconds": round(time.monotonic() - began, 1)}, separators=(",", ":")))
    return 0 if seen["e2e"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
