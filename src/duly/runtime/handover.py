"""What the command line hands to the supervisor, and the supervisor to its child, in one variable."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from typing import Any

VARIABLE = "DULY_HANDOVER"
#: The exit code of a child that wants to be replaced: a handler ignores its stop.
REPLACE = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """All that a supervised process needs. The control pipe and the sockets are inherited.

    `quarantine`: the child that runs suspects only, and ends when there are none. `watched`: the process
    beside which a keeper runs.
    """

    mode: str
    settings: dict[str, Any]
    work: bool = True
    once: bool = False
    quarantine: bool = False
    watched: int = 0
    control: int = -1
    sockets: list[int] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """The environment of the next process."""
        return {**os.environ, VARIABLE: json.dumps(dataclasses.asdict(self))}


def received() -> Handover:
    """What the process before this one handed over."""
    return Handover(**json.loads(os.environ.pop(VARIABLE)))
