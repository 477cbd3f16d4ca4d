"""The proof of gates: `make gates DATABASE=postgres`. Four worker processes, a fake server as the oracle.

Prints one JSON line. First a provider with a rate of requests and one with a rate of tokens get more work
than they take for 90 s: `rpm_over` and `tpm_over` are the shares by which any 60 seconds exceed them,
`_used` how much of them was used. Then 3,000 calls over seven providers, of which three are dead and three
fail often: `answered`, and `dead_most`, the most requests that one of the dead got. Then 60 seconds of
nothing but 429: `charged` retries, `recovered_s` until 80 % of the throughput is back, and what `why` said.
Exits 1 above 2 % of a rate, under 99.9 % answered, at ten requests to a dead provider, a charge, or after
ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import servers  # type: ignore[import-not-found]
from support.gate_proof import Size, kept, outages, prove, rates, storm  # type: ignore[import-not-found]

PARTS = {"all": prove, "rates": rates, "outages": outages, "storm": storm}


def main() -> int:
    """Reads the command line; answers the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--part", choices=list(PARTS), default="all", help="one of the three; it exits 0")
    parser.add_argument("--database", choices=["sqlite", *servers.KINDS], default="sqlite")
    for one in dataclasses.fields(Size):
        if one.name != "database":
            parser.add_argument(f"--{one.name}", type=int, default=one.default)
    given = vars(parser.parse_args())
    part = given.pop("part")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # leaves no process behind
    with tempfile.TemporaryDirectory(prefix="duly-gates-") as folder:
        figures = asyncio.run(PARTS[part](Path(folder) / part, Size(**given)))
    print(json.dumps(figures, ensure_ascii=False))
    return 0 if part != "all" or kept(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
