"""One measurement of one system in this process: `run.py SYSTEM METRIC`. Prints one JSON line.

Run it with the interpreter of the system's own environment; `compare.py` does.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from places import scratch
from systems import SYSTEMS

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Measures, prints, and tidies up; 1 when the measurement failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("metric")
    parser.add_argument("--small", action="store_true", help="small sizes: whether it works, not how fast")
    parser.add_argument("--quiet", type=float, default=5.0, help="seconds to wait for a quiet machine")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=scratch(), prefix=f"data-{chosen.system}-") as folder:
        os.environ["BENCH_FOLDER"] = folder
        os.environ["BENCH_MARKS"] = str(Path(folder) / "marks")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE), os.environ.get("PYTHONPATH")]))
        figures = asyncio.run(measured(chosen.system, chosen.metric, chosen.small, chosen.quiet))
    print(json.dumps({"system": chosen.system, "metric": chosen.metric, **figures}), flush=True)
    return int("error" in figures)


async def measured(name: str, metric: str, small: bool, quiet: float) -> dict[str, Any]:
    """The figures of one metric; an error is a figure too."""
    from measure import wait_for_quiet
    from metrics import METRICS, Sizes

    spec = SYSTEMS[name]
    system = importlib.import_module(spec.module).system(name)
    own = importlib.import_module("duly_metrics").METRICS if spec.venv is None else {}
    sizes = Sizes.small() if small else Sizes()
    wait_for_quiet(quiet)
    try:
        figures: dict[str, Any] = await {**METRICS, **own}[metric](system, sizes)
    except Exception as error:  # noqa: BLE001 - whatever a system raises is its line in the results
        traceback.print_exc(file=sys.stderr)
        return {"error": repr(error)[:300]}
    finally:
        await system.close()
    return {**figures, "settings": system.settings}


if __name__ == "__main__":
    sys.exit(main())
