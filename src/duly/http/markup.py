"""HTML that is made of elements: text becomes text, whatever it holds; only an element is markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

#: What has no inside, and no end.
_VOID = frozenset({"meta", "link", "img", "br"})
_CODE = re.compile(r"`([^`]+)`")


class Markup(str):
    """Text that is HTML already; `element`, `joined` and `prose` make it, nothing else should."""

    __slots__ = ()


def element(name: str, /, *inner: str, **attributes: str) -> Markup:
    """One element: `element("a", "more", href="#more", class_="quiet")`; plain text is escaped."""
    said = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{said}>" if name in _VOID else f"<{name}{said}>{joined(inner)}</{name}>")


def joined(inner: Sequence[str], between: str = "") -> Markup:
    """One after the other; plain text is escaped."""
    return Markup(escape(between).join(one if isinstance(one, Markup) else escape(one) for one in inner))


def prose(text: str) -> Markup:
    """A text whose `words` in backticks are code."""
    parts = _CODE.split(text)
    return joined([element("code", one) if number % 2 else one for number, one in enumerate(parts)])
