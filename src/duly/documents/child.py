"""The process that parses. Reads one header line and the file from stdin, writes one JSON answer to stdout.

It limits itself before it touches the file, and imports the parsers only after that: whatever they do with a
hostile file happens here, and `reader` only sees an answer or a dead child.
"""

from __future__ import annotations

import csv
import json
import logging
import sys
from typing import Any

from .cage import lock_in
from .errors import CorruptDocument, DocumentError, DocumentTooLarge, EmptyDocument
from .model import Document, Limits
from .plain import decode_text, paragraphs, table
from .sniff import sniff


def main() -> None:
    """One file in, one answer out."""
    header = json.loads(sys.stdin.buffer.readline())
    limits = Limits(**header["limits"])
    lock_in(limits)
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # a parser that prints must not spoil the answer
    logging.disable(logging.CRITICAL)  # parsers warn about every oddity of a file, in thousands of lines
    answer = answer_for(sys.stdin.buffer.read(), header["filename"], limits)
    out.write(json.dumps(answer).encode())


def answer_for(data: bytes, filename: str, limits: Limits) -> dict[str, Any]:
    """The document as JSON, or `{"error": code, "detail": text}`."""
    try:
        return parse(data, filename, limits).to_json()
    except DocumentError as error:
        return {"error": error.code, "detail": error.detail}
    except (MemoryError, RecursionError) as error:
        return {"error": DocumentTooLarge.code, "detail": type(error).__name__}


def parse(data: bytes, filename: str, limits: Limits) -> Document:
    """Parses in this process, without its protection: for the child, and for tests of the parsers."""
    kind = sniff(data, filename)
    if kind == "pdf":
        from .pdf import read_pdf

        return read_pdf(data, limits)
    if kind == "docx":
        from .word import read_docx

        return read_docx(data, limits)
    if kind == "xlsx":
        from .sheets import read_xlsx

        return read_xlsx(data, limits)
    if kind == "html":
        from .markup import read_html

        return read_html(data, limits)
    return _read_text(data, filename, limits)


def _read_text(data: bytes, filename: str, limits: Limits) -> Document:
    text = decode_text(data)
    try:
        parts = table(text) if filename.lower().endswith(".csv") else paragraphs(text)
    except csv.Error as error:
        raise CorruptDocument(str(error)) from error
    if not parts:
        raise EmptyDocument
    if sum(len(text) for text, _, _ in parts) > limits.max_chars:
        raise DocumentTooLarge(f"more than {limits.max_chars} characters")
    return Document.of("text", parts)


if __name__ == "__main__":
    main()
