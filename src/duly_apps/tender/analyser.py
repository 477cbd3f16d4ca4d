"""What the handler asks of an engine; `offline` has one, a model-backed one has the same four members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from duly.documents import Document


class Analyser(Protocol):
    """Turns a document into tabs. A tab is `{"key", "title", "items"}`, an item as in the README."""

    engine: str
    sections: tuple[str, ...]

    async def section(self, key: str, document: Document) -> dict[str, Any]:
        """The tab named `key`; a fact that is not in the text is an item with the value None."""
        ...

    async def summary(self, document: Document, tabs: list[dict[str, Any]]) -> str:
        """Two to five sentences in the document's language."""
        ...

    def provenance(self, document: Document) -> dict[str, Any]:
        """How the result came about: `{"engine", "method", "version", "limits"}`."""
        ...
