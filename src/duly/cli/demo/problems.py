"""What the demo says when something that Duly promises did not happen."""

from __future__ import annotations


class Broken(Exception):
    """A promise that this run did not keep, in one line."""


def expect(kept: object, promise: str) -> None:
    """Holds one promise against what happened.

    Raises:
        Broken: it was not kept.
    """
    if not kept:
        raise Broken(promise)
