"""Bodies beside the narrow task row: input, result, traceback, step values. Small ones are text, large ones
zlib in parts of 1 MB, so that no database's packet limit is met."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from duly.store.transaction import Row, Transaction

#: The kind of the unique word of a task that failed or was cancelled (`store.unique`).
UNIQUE = "unique"
SMALL = 4096
PART = 1_000_000


def keep(tx: Transaction, bodies: Iterable[tuple[str, str, str | None]]) -> None:
    """Writes (task id, kind, text) bodies inside the caller's transaction; None is left out."""
    texts = {(id_, kind): text for id_, kind, text in bodies if text is not None}
    small = [
        {"id": id_, "kind": kind, "text": text} for (id_, kind), text in texts.items() if len(text) <= SMALL
    ]
    if small:
        tx.run_each("texts", small)
    tx.run_many(
        "data", [row for key, text in texts.items() if len(text) > SMALL for row in _parts(*key, text)]
    )


def small(text: str | None) -> str | None:
    """The text if it is kept as one; None: it is not there, or large."""
    return text if text is not None and len(text) <= SMALL else None


def _parts(id_: str, kind: str, text: str) -> list[Row]:
    packed = zlib.compress(text.encode(), 1)
    return [
        (id_, kind, number, None, packed[start : start + PART])
        for number, start in enumerate(range(0, len(packed), PART))
    ]


def join(parts: Iterable[tuple[str | None, bytes | None]]) -> str | None:
    """The text of one body from its (text, data) parts in order; None when there are none."""
    packed: list[bytes] = []
    for text, data in parts:
        if text is not None:
            return text
        packed.append(data or b"")
    return zlib.decompress(b"".join(packed)).decode() if packed else None
