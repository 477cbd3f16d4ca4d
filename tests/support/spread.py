"""How `pytest -n` spreads the tests over its processes: a file stays together, for the sake of its fixtures.

All of tests/chaos stay together too: they start whole clusters, and two of these at once would starve on two
cores. Each process has databases of its own on the servers (`support.servers`).
"""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling

ALONE = "tests/chaos/"


class Spread(LoadFileScheduling):
    """A unit of work is a file, or what is `ALONE` with its like."""

    def _split_scope(self, nodeid: str) -> str:
        return ALONE if nodeid.startswith(ALONE) else super()._split_scope(nodeid)
