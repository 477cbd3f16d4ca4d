"""`read`: starts the child that parses, waits no longer than allowed, turns its answer into a document."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from .errors import BY_CODE, CorruptDocument, DocumentTooLarge, EmptyDocument
from .model import Document, Limits
from .plain import paragraphs

_CHILD = (sys.executable, "-P", "-m", "duly.documents.child")
# What an interpreter needs to start; keys and addresses of this process are nothing for a parser.
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "SYSTEMROOT")


def read(data: bytes, filename: str, *, limits: Limits = Limits()) -> Document:  # noqa: B008 - frozen
    """Reads a PDF, DOCX, XLSX, HTML or text file. Blocks while it is parsed; raises `DocumentError`.

    The parsing runs in a child process. It limits its own memory and processor time, and is killed when
    `limits.wall_seconds` have passed. `filename` only breaks ties: the content decides the kind.
    """
    if not data:
        raise EmptyDocument
    header = json.dumps({"filename": filename, "limits": asdict(limits)}).encode()
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module, no shell
            _CHILD,
            input=header + b"\n" + data,
            capture_output=True,
            timeout=limits.wall_seconds,
            check=False,
            env=environment(),
        )
    except subprocess.TimeoutExpired:
        raise DocumentTooLarge(f"not read within {limits.wall_seconds} s") from None
    answer = _answer(done)
    if "error" in answer:
        raise BY_CODE.get(answer["error"], CorruptDocument)(answer.get("detail", ""))
    answer["sha256"] = hashlib.sha256(data).hexdigest()
    return Document.from_json(answer)


def environment() -> dict[str, str]:
    """The child's environment variables."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def from_text(text: str) -> Document:
    """A document from text that is already at hand: one passage per line that is not blank."""
    parts = paragraphs(text)
    if not parts:
        raise EmptyDocument
    return Document.of("text", parts, sha256=hashlib.sha256(text.encode()).hexdigest())


def _answer(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """The child's last word; a child that died without one hit a limit, or broke on the file."""
    if done.returncode < 0:
        raise DocumentTooLarge(f"the reading process was ended by signal {-done.returncode}")
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        if b"MemoryError" in done.stderr[-4_000:]:
            raise DocumentTooLarge("the reading process ran out of memory") from None
        raise CorruptDocument(f"the reading process ended with {done.returncode}") from None
    return answer
