"""The corpus of WebSockets: who may open one, and what may be followed on it; see `websocket.toml`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from support import corpora

#: What the setting `origins` must name.
ALLOWED = "https://app.example.com"
_CORPUS = corpora.load("websocket")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """From which page, with what; whether it opens."""

    name: str
    opens: bool = False
    origins: tuple[str, ...] = ()
    query: str = ""
    protocols: tuple[str, ...] = ()
    header: str = ""
    path: str = "/ws/tasks"

    def filled(self, values: dict[str, str]) -> Handshake:
        """With these values in the place of their names."""
        return Handshake(
            name=self.name,
            opens=self.opens,
            origins=tuple(one.format(**values) for one in self.origins),
            query=self.query.format(**values),
            protocols=tuple(one.format(**values) for one in self.protocols),
            header=self.header.format(**values),
            path=self.path,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is said on an open socket; the code of the error that must answer it."""

    name: str
    says: dict[str, Any]
    code: str

    def filled(self, values: dict[str, str]) -> dict[str, Any]:
        """What is said, with these values in the place of their names."""
        text = json.dumps(self.says)
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        said: dict[str, Any] = json.loads(text)
        return said


HANDSHAKES = [
    Handshake(**{name: tuple(one) if isinstance(one, list) else one for name, one in case.items()})
    for case in _CORPUS["handshake"]
]
ORDERS = [Order(**case) for case in _CORPUS["order"]]
