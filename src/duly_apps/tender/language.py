"""Which language the document is in, and so its findings."""

from __future__ import annotations

from typing import Literal

Language = Literal["zh", "en"]


def language_of(text: str) -> Language:
    """Chinese if at least one letter in five is an ideograph."""
    ideographs = sum("一" <= c <= "鿿" for c in text)
    letters = sum(c.isalpha() for c in text)
    return "zh" if ideographs * 5 >= max(letters, 1) else "en"
