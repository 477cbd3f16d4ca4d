"""So many streams a caller may hold open in one process: a stream is a seat, given back when it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from duly.http.principal import Principal, name_of
from duly.model.errors import TooManyStreams


class Seats:
    """Who sits where; streams and WebSockets together. A limit of 0 is none."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: Counter[str] = Counter()

    def take(self, principal: Principal) -> Callable[[], None]:
        """Takes a seat; what it answers gives it back, once.

        Raises:
            TooManyStreams: the caller has all that he may have.
        """
        name = name_of(principal)
        if self._limit and self._taken[name] >= self._limit:
            raise TooManyStreams
        self._taken[name] += 1
        held = [name]

        def leave() -> None:
            while held:
                self._taken[held.pop()] -= 1
                self._taken += Counter()  # forgets who holds none

        return leave
