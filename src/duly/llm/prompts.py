"""Prompts as files with an id and a version, which stand beside each call in its step and in the ledger.

    ---
    id: tender.section
    version: 3
    ---
    @system
    You read tenders. Answer in {{language}}.
    @user
    {{text}}

Variables are strict: one that is missing, and one that the file does not know, are both refused. What stands
in for a variable is never read as a part of the file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duly.model.chat import Messages
from duly.model.errors import InvalidInput

_FILE = re.compile(r"---\n(?P<front>.*?)\n---\n(?P<body>.*)", re.DOTALL)
_LINE = re.compile(r"([a-z_]+)\s*:\s*(.*?)\s*")
_ROLE = re.compile(r"^@(system|user|assistant)[ \t]*\n", re.MULTILINE)
_NAME = re.compile(r"\{\{\s*([a-z_][a-z0-9_]*)\s*\}\}")
_BRACES = re.compile(r"\{\{|\}\}")
_ID = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """A prompt's file: what is said, by whom, with places for variables."""

    id: str
    version: str
    #: The first 16 digits of the SHA-256 of the file.
    sha: str
    parts: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str, where: str = "prompt") -> Prompt:
        """From a file's text.

        Raises:
            InvalidInput: what is wrong with it, and in which file.
        """
        text = text.replace("\r\n", "\n")
        front, body = _halves(text, where)
        pieces = _ROLE.split(body)
        if pieces[0].strip() or len(pieces) < 3:
            raise InvalidInput(f"{where}: behind the front matter stands @system, @user or @assistant")
        parts = tuple((role, said.strip()) for role, said in zip(pieces[1::2], pieces[2::2], strict=True))
        for _, said in parts:
            if _BRACES.search(_NAME.sub("", said)):
                raise InvalidInput(f"{where}: a variable is written {{{{name}}}}, in small letters")
        sha = hashlib.sha256(text.encode()).hexdigest()[:16]
        return cls(id=front["id"], version=front["version"], sha=sha, parts=parts)

    @classmethod
    def load(cls, path: Path) -> Prompt:
        """From a file.

        Raises:
            InvalidInput: it is not there, or what is wrong with it.
        """
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path.name}: {error}") from None
        return cls.of(text, path.name)

    @property
    def name(self) -> str:
        """As it stands beside a call: id, version and digest."""
        return f"{self.id}@{self.version}#{self.sha}"

    @property
    def variables(self) -> frozenset[str]:
        """The names that it has places for."""
        return frozenset(name for _, said in self.parts for name in _NAME.findall(said))

    def render(self, **values: Any) -> Messages:
        """The messages for `ctx.llm.chat`.

        Raises:
            InvalidInput: a variable is missing, is None, or is not the file's.
        """
        missing = sorted(name for name in self.variables if values.get(name) is None)
        unknown = sorted(values.keys() - self.variables)
        if missing or unknown:
            told = [f"missing {', '.join(missing)}"] if missing else []
            told += [f"unknown {', '.join(unknown)}"] if unknown else []
            raise InvalidInput(f"prompt {self.id}: {'; '.join(told)}")
        said = [{"role": role, "content": _filled(text, values)} for role, text in self.parts]
        return Messages(said, self.name)


def _filled(text: str, values: Mapping[str, Any]) -> str:
    """In one pass: a value that holds braces stays as it is."""
    return _NAME.sub(lambda found: str(values[found[1]]), text)


def _halves(text: str, where: str) -> tuple[dict[str, str], str]:
    match = _FILE.fullmatch(text)
    if match is None:
        raise InvalidInput(f"{where}: begins with ---, lines of front matter, ---")
    front: dict[str, str] = {}
    for line in match["front"].split("\n"):
        found = _LINE.fullmatch(line)
        if found is None or found[1] in front:
            raise InvalidInput(f"{where}: front matter is lines `name: value`, each name once, not {line!r}")
        front[found[1]] = found[2]
    if front.keys() != {"id", "version"}:
        raise InvalidInput(f"{where}: front matter has id and version, not {', '.join(sorted(front))}")
    if not _ID.fullmatch(front["id"]) or not _VERSION.fullmatch(front["version"]):
        raise InvalidInput(f"{where}: id is small letters, digits, . _ -; version letters, digits, . _ -")
    return front, match["body"]
