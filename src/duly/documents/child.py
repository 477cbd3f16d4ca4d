"""The process that parses. Reads one header line and the file from stdin, writes one JSON answer to stdout.

It limits itself before it touches the file, and imports the parsers only after that: whatever they do with a
hostile file happens here, and `reader` only sees an answer or a dead child.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from .errors import DocumentError, DocumentTooLarge, EmptyDocument, UnsupportedDocument
from .model import Document, Limits
from .plain import decode, paragraphs
from .sniff import sniff


def main() -> None:
    """One file in, one answer out."""
    header = json.loads(sys.stdin.buffer.readline())
    limits = Limits(**header["limits"])
    _limit_this_process(limits)
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
    if kind == "text":
        return _read_text(data, limits)
    raise UnsupportedDocument(filename)


def _read_text(data: bytes, limits: Limits) -> Document:
    parts = paragraphs(decode(data))
    if not parts:
        raise EmptyDocument
    if sum(len(text) for text, _, _ in parts) > limits.max_chars:
        raise DocumentTooLarge(f"more than {limits.max_chars} characters")
    return Document.of("text", parts)


def _limit_this_process(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # not on Windows: there the parent's wall-clock limit is the only one
        return
    for what, most in ((resource.RLIMIT_AS, limits.memory_bytes), (resource.RLIMIT_CPU, limits.cpu_seconds)):
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


if __name__ == "__main__":
    main()
