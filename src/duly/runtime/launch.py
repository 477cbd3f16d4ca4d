"""Starts a supervised server or worker: becomes the small supervising process."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from duly.config import Settings
from duly.runtime.handover import Handover


def launch(mode: str, settings: Settings, *, work: bool = True, once: bool = False) -> NoReturn:
    """Replaces this process by the supervisor of a `serve` or `worker` child."""
    handover = Handover(mode=mode, settings=settings.model_dump(), work=work, once=once)
    sys.stdout.flush()
    os.execve(  # noqa: S606 - our own interpreter and module
        sys.executable, [sys.executable, "-m", "duly.runtime.supervisor"], handover.environment()
    )
