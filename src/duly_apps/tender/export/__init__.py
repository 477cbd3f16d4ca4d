"""Results as files: `report` says what stands in one, `word` and `excel` write it."""

from __future__ import annotations

import json
from typing import Any

from .report import report

#: The media type of each format.
FORMATS = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


def written(kind: str, result: dict[str, Any]) -> bytes:
    """The result of an analysis or a split, as the bytes of a file of this kind."""
    if kind == "json":
        return json.dumps(result, ensure_ascii=False, indent=2).encode("utf-8", "replace")
    if kind == "xlsx":
        from .excel import workbook

        return workbook(report(result))
    from .word import letter

    return letter(report(result))
