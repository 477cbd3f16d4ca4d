"""What the handler asks of an engine; `engine` has one, a model-backed one has the same members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from duly.documents import Document


class Splitter(Protocol):
    """Turns requirements into work items, `schema.WorkItem` as JSON."""

    engine: str

    async def items(self, document: Document) -> list[dict[str, Any]]:
        """The work items in the order of the text, each with its quote, and none depending on another."""
        ...

    async def link(self, document: Document, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The same items with what each waits for; no item waits for itself, however far around."""
        ...

    async def summary(self, document: Document, items: list[dict[str, Any]]) -> str:
        """Two to five sentences in the document's language."""
        ...

    def provenance(self, document: Document) -> dict[str, Any]:
        """How the result came about: `{"engine", "method", "version", "limits"}`."""
        ...
