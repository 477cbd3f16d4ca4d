"""Measures Duly beside its peers: round-robin over the systems, several rounds, medians, ratios.

Prints a JSON line per measurement, then one per median, then one with the rules and whether each holds.
The same lines are kept in BENCH_DIR. `--own` measures Duly alone; `--small` looks whether all of it works.
"""

from __future__ import annotations

import argparse
import compileall
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from install import NotInstalled, python_of
from places import scratch
from rules import POSTGRES, SQLITE, Figure, Rule
from systems import SYSTEMS, Spec

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"
#: On MariaDB only Duly is measured, and beside no peer.
RULES: dict[str, tuple[Rule, ...]] = {"sqlite": SQLITE, "postgres": POSTGRES, "mariadb": ()}
#: Long, and steady in itself: measured in the first round only.
ONCE = frozenset({"backlog"})
LIMIT_SECONDS = 900
#: A round in which others used more of a processor than this is noisy; its lines count, and say so.
NOISY_CORES = 0.3
Line = dict[str, Any]


class Report:
    """Where the lines go: to stdout and to a file of this run."""

    def __init__(self) -> None:
        moment = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
        self.path = scratch() / f"results-{moment}.jsonl"
        self.lines: list[Line] = []

    def add(self, line: Line) -> None:
        """One more line."""
        self.lines.append(line)
        text = json.dumps(line)
        print(text, flush=True)
        with self.path.open("a") as file:
            file.write(text + "\n")

    def settings(self, system: str, text: str | None) -> None:
        """What a system's figures stand on; once per system."""
        line = {"system": system, "settings": text}
        if text is not None and line not in self.lines:
            self.add(line)

    def values(self) -> dict[Figure, list[float]]:
        """All values of each figure, over the rounds."""
        found: dict[Figure, list[float]] = {}
        for line in self.lines:
            for name, value in line.items():
                if "round" in line and name != "round" and isinstance(value, int | float):
                    found.setdefault((line["system"], line["metric"], name), []).append(value)
        return found

    @property
    def failed(self) -> bool:
        """Whether a measurement of ours broke."""
        return any("error" in line and SYSTEMS[line["system"]].venv is None for line in self.lines)


def main() -> int:
    """Runs it; 1 when a measurement of Duly failed, whatever the figures are."""
    chosen = _arguments()
    compileall.compile_dir(SOURCE, quiet=1)  # as an installer does; the measured processes write no bytecode
    report = Report()
    pythons = _interpreters(_wanted(chosen), report)
    for number in range(chosen.rounds):
        for system, metric in _plan(pythons, chosen.metrics, number):
            line = _measure(pythons[system], system, metric, chosen)
            report.settings(system, line.pop("settings", None))
            report.add({"round": number + 1, **line})
    _conclude(report, chosen.databases)
    return int(report.failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--databases", nargs="+", choices=sorted(RULES), default=sorted(RULES))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--metrics", nargs="+", default=None, help="all, when none is named")
    parser.add_argument("--own", action="store_true", help="Duly alone")
    parser.add_argument("--small", action="store_true", help="small sizes")
    parser.add_argument("--quiet", type=float, default=5.0, help="seconds to wait for a quiet machine")
    return parser.parse_args()


def _wanted(chosen: argparse.Namespace) -> list[str]:
    return [
        name
        for name in chosen.systems
        if SYSTEMS[name].database in chosen.databases and not (chosen.own and SYSTEMS[name].venv)
    ]


def _interpreters(names: list[str], report: Report) -> dict[str, str]:
    """What runs each system; one that cannot run here is a line with the reason."""
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = _interpreter(SYSTEMS[name])
        except NotInstalled as error:
            report.add({"system": name, "skipped": str(error)})
    return found


def _interpreter(spec: Spec) -> str:
    if spec.database == "postgres":
        _check_server()
    if spec.database == "mariadb":
        _check_mariadb()
    return sys.executable if spec.venv is None else python_of(spec.venv)


def _check_server() -> None:
    try:
        import postgres
        import psycopg
    except ImportError as error:
        raise NotInstalled(f"the bench needs psycopg to reach PostgreSQL: {error}") from None
    try:
        psycopg.connect(postgres.server_url(), connect_timeout=5).close()
    except psycopg.OperationalError as error:
        raise NotInstalled(f"no PostgreSQL at DULY_TEST_POSTGRES: {error}") from None


def _check_mariadb() -> None:
    from duly.model.errors import UnsupportedDatabase

    try:
        import mariadb
        import pymysql

        mariadb.reach()
    except (ImportError, UnsupportedDatabase) as error:
        raise NotInstalled(f"the bench needs PyMySQL to reach MariaDB: {error}") from None
    except pymysql.Error as error:
        raise NotInstalled(f"no MariaDB at DULY_TEST_MARIADB: {error}") from None


def _plan(pythons: dict[str, str], metrics: list[str] | None, number: int) -> Iterator[tuple[str, str]]:
    """One round: metric by metric, system by system, each round beginning with another system."""
    names = list(pythons)
    turn = number % max(1, len(names))
    for metric in dict.fromkeys(metric for name in names for metric in SYSTEMS[name].metrics):
        if (metrics and metric not in metrics) or (metric in ONCE and number):
            continue
        for name in names[turn:] + names[:turn]:
            if metric in SYSTEMS[name].metrics:
                yield name, metric


def _measure(python: str, system: str, metric: str, chosen: argparse.Namespace) -> Line:
    command = [python, str(HERE / "run.py"), system, metric, "--quiet", str(chosen.quiet)]
    command += ["--small"] if chosen.small else []
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with (scratch() / "errors.log").open("a") as log:
        try:
            done = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                timeout=LIMIT_SECONDS,
                env=environment,
                check=False,
            )
            line: Line = json.loads(done.stdout.splitlines()[-1])
        except (subprocess.TimeoutExpired, IndexError, json.JSONDecodeError) as error:
            return {"system": system, "metric": metric, "error": repr(error)[:300]}
    return line


def _conclude(report: Report, databases: list[str]) -> None:
    """A line per median with its range, then the rules."""
    values = report.values()
    for (system, metric), names in _grouped(values).items():
        ranges = {name: _range(values[system, metric, name]) for name in names}
        quiet = sum(cores <= NOISY_CORES for cores in values.get((system, metric, "foreign_cores"), []))
        report.add({"median_of": system, "metric": metric, "quiet_rounds": quiet, **ranges})
    medians = {figure: statistics.median(found) for figure, found in values.items()}
    rules = [rule.judge(medians) for database in databases for rule in RULES[database]]
    judged = [rule["holds"] for rule in rules]
    report.add(
        {"rules": rules, "hold": judged.count(True), "fail": judged.count(False), "open": judged.count(None)}
    )
    print(f"bench: kept in {report.path}", file=sys.stderr)


def _grouped(figures: dict[Figure, list[float]]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for system, metric, name in figures:
        found.setdefault((system, metric), []).append(name)
    return found


def _range(values: list[float]) -> list[float]:
    """Median, least, greatest."""
    return [round(statistics.median(values), 3), min(values), max(values)]


if __name__ == "__main__":
    sys.exit(main())
