"""The desk that the browser walks through: the analysis of a text that says 慢 takes its time."""

from __future__ import annotations

import asyncio
from typing import Any

from duly_apps.tender import duly, tasks
from duly_apps.tender.offline.engine import OfflineAnalyser

__all__ = ["duly"]


class Thoughtful(OfflineAnalyser):
    """Thinks before each section, so that a page can be seen between two of them."""

    async def section(self, key: str, document: Any) -> dict[str, Any]:
        if "慢" in document.text:
            await asyncio.sleep(0.6)
        return await super().section(key, document)


tasks.OfflineAnalyser = Thoughtful  # type: ignore[misc]
