"""Calls every operation of the API with generated requests, good and bad, on a real server process.

Cases come from the server's own OpenAPI description (schemathesis, all checks): an answer that is not
described, a 500, a body that is not as described is a failure. Ends with one JSON line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support.serving import serving  # type: ignore[import-not-found]

#: Streams have no end of their own: each is read for this many seconds, and fewer of them.
STREAMS, STREAM_SECONDS, STREAMS_OF_CASES = "/events$", 2, 5
ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
#: Checks with the statuses that mean: the data are in shape, and refused for what they mean.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", "400", "401", "403", "404", "409", "413", "415", "416", "422", "429"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "406", "409", "413", "415", "416", "422", "431"]
"""
#: Callers besides the administrator, as keys: what they may not do is refused, and nothing breaks.
OTHERS = {
    "viewer": {"owner": "ann", "role": "viewer"},
    "operator": {"owner": "ann", "role": "operator"},
    "tenant": {"owner": "ann", "tenant": "other"},
}
APP = """
from duly import Duly

duly = Duly("fuzz")


@duly.task("fuzz.echo")
async def echo(ctx, **anything):
    return anything
"""


@contextmanager
def server(folder: Path, task: str = "fuzz.echo") -> Iterator[tuple[str, str]]:
    """A server of its own on a free port, with one task type: its address and its administrator's token."""
    (folder / "fuzz_app.py").write_text(APP.replace("fuzz.echo", task))
    with serving(folder, "fuzz_app:duly", folder, DULY_WAIT_LIMIT="0.2") as place:
        yield place


def run(
    address: str, token: str, folder: Path, wanted: argparse.Namespace, known: str | None
) -> list[dict[str, Any]]:
    """All phases, of streams apart; `known` is the id of a task that paths name."""
    only = wanted.only or ("task_id" if known is not None else None)
    chosen = [] if only is None else ["--include-path-regex", only]
    place = (address, token, folder, wanted, known)
    if wanted.only:
        return [_run(place, 20, wanted.examples, chosen)]
    few = max(1, wanted.examples // STREAMS_OF_CASES)
    streams = STREAMS if known is None else f"task_id.*{STREAMS}"
    return [
        _run(place, 20, wanted.examples, [*chosen, "--exclude-path-regex", STREAMS]),
        _run(place, STREAM_SECONDS, few, ["--include-path-regex", streams]),
    ]


def _run(
    place: tuple[str, str, Path, argparse.Namespace, str | None], patience: int, count: int, paths: list[str]
) -> dict[str, Any]:
    """One run of all phases."""
    address, token, folder, wanted, known = place
    config, report = folder / "schemathesis.toml", folder / "report.json"
    named = "" if known is None else f'[parameters]\n"path.task_id" = "{known}"\n'
    config.write_text(CONFIG + named)
    arguments = [
        *("--config-file", str(config), "run", f"{address}/openapi.json", "--checks", "all"),
        *("-H", f"Authorization: Bearer {token}", "-n", str(count), "--seed", str(wanted.seed)),
        *("--phases", wanted.phases, "--report", "json", "--report-json-path", str(report)),
        *("--suppress-health-check", "all", "--request-timeout", str(patience), "--no-shrink"),
        *("--continue-on-failure", "--warnings", "off", *paths),
    ]
    subprocess.run([BIN / "schemathesis", *arguments], cwd=folder, check=False)
    text = report.read_text("utf-8")
    if wanted.report:
        with Path(wanted.report).open("a", encoding="utf-8") as kept:
            kept.write(text + "\n")
    return dict(json.loads(text))


def told(runs: list[list[dict[str, Any]]]) -> dict[str, int]:
    """The figures of several runs; an error of a run is a failure."""
    reports = [one for run in runs for one in run]
    operations = max(sum(one["operations"]["tested"] for one in run) for run in runs)
    return {
        "cases": sum(one["test_cases"]["generated"] for one in reports),
        "operations": operations,
        "failures": sum(len(one["failures"]) + len(one["errors"]) for one in reports),
    }


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=150, help="cases of each operation and phase")
    parser.add_argument("--seed", type=int, default=7, help="the same seed makes the same cases")
    parser.add_argument("--small", action="store_true", help="a few cases of each operation")
    parser.add_argument("--only", help="operations whose path this pattern finds")
    parser.add_argument("--report", help="a file for the whole reports, a line of JSON each")
    parser.add_argument("--also", nargs="*", default=[], choices=OTHERS, help="and as these callers")
    parser.add_argument("--phases", default="examples,coverage,fuzzing", help="what schemathesis runs")
    wanted = parser.parse_args()
    if wanted.small:
        wanted.examples, wanted.phases = 3, "fuzzing"
    with tempfile.TemporaryDirectory() as name, server(Path(name)) as (address, token):
        task = _task(address, token)
        callers = [token, *(_key(address, token, OTHERS[one]) for one in wanted.also)]
        asked = [(caller, known) for caller in callers for known in (None, task)]
        runs = [run(address, caller, Path(name), wanted, known) for caller, known in asked]
    print(json.dumps(found := told(runs)))
    return min(1, found["failures"])


def _task(address: str, token: str) -> str:
    """A task that is there: what is done to it is refused for its state, not for want of it."""
    return str(_posted(address, token, "/api/tasks", {"task_type": "fuzz.echo", "input": {}})["id"])


def _key(address: str, token: str, words: dict[str, str]) -> str:
    """A key of another caller."""
    return str(_posted(address, token, "/api/keys", {"name": "fuzz", **words})["key"])


def _posted(address: str, token: str, path: str, words: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps(words).encode()
    request = urllib.request.Request(f"{address}{path}", body, headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
