"""What a scripted model says of a tender: the facts that the rules find in it, and one that is made up."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from duly.documents import Document
from duly.llm.fake.answers import LABEL
from duly_apps.tender.offline.engine import OfflineAnalyser

MADE_UP = {"value": "free of charge", "quote": "This sentence stands nowhere in the document."}


async def answers(document: Document) -> list[dict[str, Any]]:
    """One answer for each section, the same for each part, and one for the summary."""
    rules, made = OfflineAnalyser(), []
    for key in rules.sections:
        tab = await rules.section(key, document)
        facts = [
            {"key": item["key"], "value": item["value"][:2000], "quote": item["quote"][:2000]}
            for item in tab["items"]
            if item["value"] is not None
        ]
        facts.append({"key": tab["items"][0]["key"], **MADE_UP})
        made.append(
            {"when": f"Section: {key}\n", "texts": [json.dumps({"facts": facts}, ensure_ascii=False)]}
        )
    return [*made, {"when": "Summary of these facts:", "texts": [LABEL]}]


def script(document: Document, latency: float) -> str:
    """The same as a script for `duly fake-llm`: a JSON string is one of TOML."""
    lines = [f"latency = {latency}"]
    for one in asyncio.run(answers(document)):
        texts = ", ".join(json.dumps(text) for text in one["texts"])
        lines += ["[[answer]]", f"when = {json.dumps(one['when'])}", f"texts = [{texts}]"]
    return "\n".join(lines) + "\n"
