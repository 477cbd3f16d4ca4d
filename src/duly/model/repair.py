"""Broken JSON of a model, mended by `json_repair` within a bound: some texts cost it the square of their
length and more, on a loop where others wait.
"""

from __future__ import annotations

import json
import re
from typing import Any, SupportsIndex

_BEGIN = re.compile(r"[\[{]")
#: Characters of a text that is mended, and how often it may look at one: what people or models break by
#: mistake takes two to four looks a character.
MOST_CHARACTERS, MOST_LOOKS = 100_000, 400_000


class TooBroken(ValueError):
    """The text is too long, or too broken, to be repaired."""


def repaired(text: str) -> tuple[Any] | None:
    """The list or object that is meant; None: it holds none.

    Raises:
        TooBroken: a bound was reached.
    """
    if not _BEGIN.search(text):
        return None
    if len(text) > MOST_CHARACTERS:
        raise TooBroken
    try:
        import json_repair

        value = json.loads(json.dumps(json_repair.loads(_Bounded.of(text))))  # what it cut out is plain text
    except TooBroken:
        raise
    except (ImportError, ValueError, RecursionError):
        return None
    return (value,) if isinstance(value, dict | list) and value else None


class _Bounded(str):
    """A text that may be looked at so often; pieces of it count for as long as they are."""

    __slots__ = ("_looks",)
    _looks: list[int]

    @classmethod
    def of(cls, text: str, looks: list[int] | None = None) -> _Bounded:
        """This text; what is cut from another one, or put together with it, shares its `looks`."""
        bounded = cls(text)
        bounded._looks = [0] if looks is None else looks
        return bounded

    def __getitem__(self, at: SupportsIndex | slice[Any, Any, Any]) -> str:
        found = super().__getitem__(at)
        self._looks[0] += 1 + len(found) // 16
        if self._looks[0] > MOST_LOOKS:
            raise TooBroken
        return _Bounded.of(found, self._looks) if isinstance(at, slice) else found

    def __add__(self, more: str) -> str:
        return _Bounded.of(super().__add__(more), self._looks)
