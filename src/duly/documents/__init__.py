"""Documents in, numbered text out: PDF, DOCX, XLSX, HTML and text, read where they can do no harm.

`read(data, filename)` parses in a child process with memory, processor and wall-clock limits, so a hostile
file ends as a `DocumentError` with a code, never as a dead worker. The result keeps, for every character,
the page or paragraph it came from; `split` cuts it into chunks without losing one.
"""

from .chunks import Chunk, split
from .errors import (
    CorruptDocument,
    DocumentError,
    DocumentTooLarge,
    EmptyDocument,
    EncryptedDocument,
    MacrosRefused,
    NeedsOcr,
    TextUnreadable,
    UnsupportedDocument,
)
from .model import Document, Limits, Passage, Place
from .reader import from_text, read

__all__ = [
    "Chunk",
    "CorruptDocument",
    "Document",
    "DocumentError",
    "DocumentTooLarge",
    "EmptyDocument",
    "EncryptedDocument",
    "Limits",
    "MacrosRefused",
    "NeedsOcr",
    "Passage",
    "Place",
    "TextUnreadable",
    "UnsupportedDocument",
    "from_text",
    "read",
    "split",
]
