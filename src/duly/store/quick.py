"""Verbs that can be one statement on PostgreSQL, which then needs no transaction around it (decision 0018).

Such a verb has a quick form beside it. Whatever that cannot tell, or does not dare, goes to the verb itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar

from duly.store.transaction import Moment, Row

T = TypeVar("T")


class Asked(NamedTuple):
    """A file of one statement and its parameters; lists and dicts among these become JSON."""

    name: str
    parameters: dict[str, Any]


#: What a quick form is: it yields statements, each a transaction of its own, and is sent their rows; it
#: returns the verb's answers, or None: the verb itself must do it, and will recognise what is done already.
Quickly: TypeAlias = Generator[Asked, list[Row], T | None]
Quick: TypeAlias = Callable[[Moment, Sequence[Any]], Quickly[Sequence[Any]]]
