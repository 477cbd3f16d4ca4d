"""Where the bench keeps its things: environments and databases under BENCH_DIR, by default build/bench."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def scratch() -> Path:
    """The folder; on the disk that is to be measured."""
    folder = Path(os.environ.get("BENCH_DIR") or ROOT / "build" / "bench").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder
