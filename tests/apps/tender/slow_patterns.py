"""Runs every regular expression of the tender desk over long repetitions; prints the slow ones as JSON.

A script of its own, since a slow one would stop the test runner. What is compiled or used while the samples
are read counts as the desk's.
"""

from __future__ import annotations

import asyncio
import collections
import importlib
import json
import pkgutil
import re
import signal
import sys
from types import FrameType
from typing import Any

LENGTH = 40_000
SECONDS = 0.6  # of processor time: linear patterns take a tenth of it, those that take the square seconds
HEADS = ("x", "1 ", "2025-11-20", "2025年11月20日", "名称：a", "预算", "A (", "（")
UNITS = (
    *(".", "。", "·", " ", "\t", "1", "一", "a", "元", "(", "（", "#", ":", "，", "total ", "deadline for "),
    *(
        "closing date for a ",
        "采购",
        "项目",
        "1.",
        "1,000",
        "12 jan ",
        "2025年",
        "人民币 ",
        "12 - ",
        ". Ab (",
    ),
)
LINES = [unit * (LENGTH // len(unit)) + "x" for unit in UNITS]
LINES += [head + space * LENGTH + "x" for head in HEADS for space in " \t"]
#: The functions that take no more than these characters of a line, by their modules.
CUT = {"fields": 600, "money": 120, "facts": 600}
SAMPLES = ("smart-campus-zh.pdf", "water-meters-en.docx")
plain = re.compile
Seen = dict[tuple[str, int], tuple[str, set[str]]]
seen: Seen = {}


class Watched:
    """A compiled pattern that notes by which of its methods it is used."""

    def __init__(self, pattern: re.Pattern[str], ways: set[str]) -> None:
        self._pattern = pattern
        self._ways = ways

    def __getattr__(self, name: str) -> Any:
        self._ways.add(name)
        return getattr(self._pattern, name)


def watch(name: str) -> None:
    """Notes what the desk's modules hand to this function of `re`."""
    real = getattr(re, name)

    def noted(pattern: Any, *args: Any, **named: Any) -> Any:
        frame = sys._getframe(1)
        module = str(frame.f_globals.get("__name__"))
        if not isinstance(pattern, str) or not module.startswith("duly_apps.tender"):
            return real(pattern, *args, **named)
        made = real(pattern, *args, **named)
        flags = int(args[0]) if args and name == "compile" else int(re.IGNORECASE)
        short = module.rpartition(".")[2] if frame.f_code.co_name != "labelled" else ""
        ways = seen.setdefault((pattern, flags), (short, set()))[1]
        if name == "compile":
            return Watched(made, ways)
        ways.add(name)
        return made

    setattr(re, name, noted)


async def read_samples() -> None:
    """By both engines, so that each pattern is made and used."""
    for module in pkgutil.walk_packages(
        importlib.import_module("duly_apps.tender").__path__, "duly_apps.tender."
    ):
        importlib.import_module(module.name)
    documents = importlib.import_module("duly.documents")
    sample = importlib.import_module("duly_apps.tender.samples").sample
    analyser = importlib.import_module("duly_apps.tender.offline.engine").OfflineAnalyser()
    splitter = importlib.import_module("duly_apps.tender.workload.engine").OfflineSplitter()
    requirements = importlib.import_module("tender_walks").REQUIREMENTS
    some = [documents.read(sample(name).read_bytes(), name) for name in SAMPLES]
    for document in (*some, documents.from_text(requirements)):
        for key in analyser.sections:
            await analyser.section(key, document)
        await splitter.link(document, await splitter.items(document))


class Slow(Exception):
    """It takes longer than `SECONDS`."""


def late(_signal: int, _frame: FrameType | None) -> None:
    """The processor's alarm."""
    raise Slow


def takes_long(pattern: re.Pattern[str], way: str, line: str) -> bool:
    """Whether its matches in a line do."""
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        if way == "match":
            pattern.match(line)
        else:
            collections.deque(pattern.finditer(line), maxlen=0)
    except Slow:
        return True
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return False


def slow_line(pattern: re.Pattern[str], ways: set[str], bound: int) -> str:
    """The beginning of the first that takes long; empty: there is none."""
    way = "match" if ways and ways <= {"match", "fullmatch"} else "finditer"
    return next((repr(line[:24]) for line in LINES if takes_long(pattern, way, line[:bound])), "")


def main() -> None:
    """One line of JSON."""
    for name in ("compile", "search", "match", "fullmatch", "findall", "finditer", "split", "sub"):
        watch(name)
    asyncio.run(read_samples())
    signal.signal(signal.SIGVTALRM, late)
    slow = []
    for (text, flags), (module, ways) in list(seen.items()):
        if line := slow_line(plain(text, flags), ways, CUT.get(module, 10**6)):
            slow.append(f"{module} {text[:60]} over {line}")
    sys.stdout.write(json.dumps({"patterns": len(seen), "slow": slow}))


if __name__ == "__main__":
    main()
