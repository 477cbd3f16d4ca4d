"""The desk that the browser walks through: the analysis of a text that says 慢 takes its time."""

from __future__ import annotations

import asyncio
from typing import Any

from duly_apps.tender import duly
from duly_apps.tender.offline.engine import OfflineAnalyser

__all__ = ["duly"]


quickly = OfflineAnalyser.section


async def section(self: OfflineAnalyser, key: str, document: Any) -> dict[str, Any]:
    """Thinks before each section, so that a page can be seen between two of them."""
    if "慢" in document.text:
        await asyncio.sleep(0.6)
    return await quickly(self, key, document)


OfflineAnalyser.section = section  # type: ignore[method-assign]
