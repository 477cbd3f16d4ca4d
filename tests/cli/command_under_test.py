"""What the tests of the command line share: a command's answer, and the environment of real processes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
APP = "shop_under_test:duly"
PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as one JSON document."""
        return json.loads(self.out)

    @property
    def problems(self) -> list[str]:
        """The lines on stderr, without the program's name; every one has it."""
        lines = self.err.splitlines()
        assert all(line.startswith("duly: ") for line in lines), self.err
        return [line.removeprefix("duly: ") for line in lines]


Shell = Callable[..., Said]


def environment(**more: str) -> dict[str, str]:
    """What a process of ours gets: the handlers can be imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DULY_")}
    return {**kept, "PYTHONPATH": str(HERE), **more}
