"""The process that parses. Reads one header line and the file from stdin, writes one JSON answer to stdout.

It imports the parser that the file asks for, locks itself in, and only then looks into the file: whatever a
hostile one does happens here, and `reader` only sees an answer or a dead child.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
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
    data, limits = sys.stdin.buffer.read(), Limits(**header["limits"])
    _import_parser(data[:16], header["filename"])
    lock_in(limits)
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # a parser that prints must not spoil the answer
    logging.disable(logging.CRITICAL)  # parsers warn about every oddity of a file, in thousands of lines
    answer = answer_for(data, header["filename"], limits)
    out.write(json.dumps(answer).encode())


def _import_parser(start: bytes, filename: str) -> None:
    """Before the lock: who may write no file cannot keep what Python compiled, and compiles it each time."""
    sys.modules.setdefault("numpy", None)  # type: ignore[arg-type]  # openpyxl would load it, for nothing
    workbook = filename.lower().endswith((".xlsx", ".xlsm"))
    office = "openpyxl" if workbook else "docx"
    module = {b"%": "pypdf", b"P": office, b"<": "lxml.html"}.get(start[:1])
    if module:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)


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
