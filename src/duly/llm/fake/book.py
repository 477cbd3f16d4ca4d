"""The oracle of a fake model server: each request that came, and what was billed for it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

#: Requests that are kept; the bill counts all.
MOST = 10_000


@dataclass(slots=True)
class Book:
    """What came and what it cost. Work is billed when it was done, whether its answer arrived or not."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0
    billed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    by_prompt: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0

    def came(self, path: str, model: str, prompt: str, *, stream: bool, at: float) -> dict[str, Any]:
        """A request came, at this second since the server began; answers its line in the log."""
        self.number += 1
        line = {
            "n": self.number,
            "at": round(at, 3),
            "path": path,
            "model": model,
            "prompt": hashlib.sha256(prompt.encode()).hexdigest()[:16],
            "stream": stream,
            "fault": None,
            "billed": False,
            "tokens": 0,
        }
        self.requests.append(line)
        del self.requests[:-MOST]
        return line

    def bill(self, line: dict[str, Any], prompt_tokens: int, completion_tokens: int) -> None:
        """The work of a request was done."""
        line["billed"], line["tokens"] = True, prompt_tokens + completion_tokens
        self.billed += 1
        self.prompt_tokens += prompt_tokens
        self.completion_tokens += completion_tokens
        self.by_prompt[line["prompt"]] += 1

    def bill_words(self) -> dict[str, Any]:
        """The bill; `by_prompt` counts by the first 16 digits of a prompt's SHA-256."""
        return {
            "calls": self.billed,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "by_prompt": dict(self.by_prompt),
        }

    def log_words(self) -> dict[str, Any]:
        """The log, and how many were answered at once at most."""
        return {"requests": self.requests, "total": self.number, "most_at_once": self.most_at_once}
