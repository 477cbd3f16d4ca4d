"""Which recorded step a call means: by name, key and number, checked by a digest of its arguments.

A step takes its number when it is called, not when it is awaited. Branches that run at once and share a
name would take numbers in another order on replay, so they must tell themselves apart with `key=`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any, NamedTuple

from duly.execute.waiting import inside_a_step
from duly.model import wire
from duly.model.errors import InvalidInput, ReplayMismatch
from duly.model.task import EARLIER, SHAKEN, Step, check_name


class Place(NamedTuple):
    """The identity that a call of `ctx.step` took, and what was recorded there; a wait says for what.

    `shaken`: the call was made after something had failed that a later round may not see fail.
    """

    name: str
    n: int
    digest: str
    recorded: Step | None
    waits_for: str | None = None
    shaken: bool = False

    def value(self) -> Any:
        """The recorded value."""
        return json.loads(self.recorded.value) if self.recorded else None

    def step(self, attempt: int, **more: Any) -> Step:
        """What is to be remembered here."""
        more["waits_for"] = self.waits_for
        digest = SHAKEN + self.digest[1:] if self.shaken else self.digest
        return Step(name=self.name, n=self.n, digest=digest, attempt=attempt, **more)


#: Names that were found to be good: a handler has few, and calls them again in each round.
_NAMES: set[str] = set()
MOST_NAMES = 1000
_SLEEP = wire.digest(["wait", ""])
_NONE: Mapping[str, Set[int]] = {}


class _Earlier:
    """The steps of one name that followed a gather which is asked anew (decision 0055), and the calls so far.

    As long as these go the same way again, each finds the step of its own number; from the first that does
    not, by its arguments.
    """

    def __init__(self) -> None:
        self.calls = 0
        self._steps: dict[int, Step] = {}
        self._left: dict[int, Step] = {}
        #: Once the calls go another way: the numbers of those that are left, by digests and from the last on.
        self._like: dict[str, list[int]] | None = None
        self._free = 1

    def add(self, step: Step) -> None:
        self._steps[step.n] = self._left[step.n] = step

    def own(self, digest: str) -> Step | None:
        """What the next call finds under its own number."""
        self.calls += 1
        step = self._steps.get(self.calls)
        if step is not None and step.digest[1:] == digest and self.calls in self._left:
            return self._left.pop(self.calls)
        if step is not None and self._like is None:
            self._like = {}
            for n in sorted(self._left, reverse=True):
                self._like.setdefault(self._left[n].digest[1:], []).append(n)
        return None

    def like(self, digest: str) -> Step | None:
        """What a call finds by its arguments once the calls go another way: the first that is left."""
        numbers = [] if self._like is None else self._like.get(digest, [])
        while numbers:
            if (step := self._left.pop(numbers.pop(), None)) is not None:
                return step
        return None

    def free(self, n: int) -> int:
        """The first number from there on that none of these has."""
        self._free = max(self._free, n)
        while self._free in self._steps:
            self._free += 1
        return self._free


class StepBook:
    """The steps of one attempt: those remembered from earlier attempts, and the numbers taken so far.

    What fails is not remembered, and may go well in the next round. So what a handler does after a failure is
    recorded as such, and a later round need not do it. Nor what followed a gather that is asked anew: a call
    of other arguments is another call then, and one that was made before is found by its arguments.

    `slept`: by their names the numbers of sleeps that are over, which are not among the steps.
    `whole`: the handler must call each of them again; it need not where it continues tasks of older code.
    """

    def __init__(
        self, remembered: Iterable[Step], slept: Mapping[str, Set[int]] = _NONE, *, whole: bool = True
    ) -> None:
        self._remembered: dict[tuple[str, int], Step] = {}
        self._earlier: dict[str, _Earlier] = {}
        for step in remembered:
            if step.digest.startswith(EARLIER):
                self._earlier.setdefault(step.name, _Earlier()).add(step)
            else:
                self._remembered[step.name, step.n] = step
        self._slept = slept
        self._whole = whole
        self._shaken = False
        self._taken: dict[str, int] = {}
        self._callers: dict[str, object] = {}

    def take(self, name: str, key: str | None, arguments: Any) -> Place:
        """The place of the next call of this name.

        Raises:
            InvalidInput: a bad name, or arguments that are not JSON.
            ReplayMismatch: the recorded call had other arguments, or branches share a name without `key=`.
        """
        return self._take(name, key, _digest(name, arguments))

    def _take(self, name: str, key: str | None, digest: str, waits_for: str | None = None) -> Place:
        full = _full_name(name, key)
        if key is None:
            self._check_branch(name)
        n, known = self._next(full, digest)
        if (known is not None and known.digest[1:] != digest[1:]) or n in self._slept.get(full, ()):
            raise ReplayMismatch(
                f"step {full!r} number {n} was recorded as another call; restore the code, "
                "give concurrent branches a key=, or what follows a failure a name of its own"
            )
        shaken = known is None and (self._shaken or sys.exc_info()[0] is not None)
        return Place(full, n, digest, known, waits_for, shaken)

    def _next(self, full: str, digest: str) -> tuple[int, Step | None]:
        """The number of a call, and what is remembered of it."""
        n, earlier = self._taken.get(full, 0) + 1, self._earlier.get(full)
        if earlier is not None:
            # Before what was made since: that took its number because none of these was left for it.
            found = earlier.own(digest[1:]) or earlier.like(digest[1:])
            if found is not None:
                return found.n, found
            n = earlier.free(n)
        self._taken[full] = n
        return n, self._remembered.get((full, n))

    def shake(self) -> None:
        """From here on the handler may do what it would not do in another round."""
        self._shaken = True

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """What raises within may not raise in another round."""
        try:
            yield
        except BaseException:
            self._shaken = True
            raise

    def take_sleep(self, name: str, key: str | None) -> Place | None:
        """The place of a sleep; None: it is over. How long it lasts is not compared.

        Raises:
            InvalidInput: a step cannot wait; and see `take`.
            ReplayMismatch: see `take`.
        """
        outside_steps(name)
        full = _full_name(name, key)
        earlier = self._earlier.get(full)
        n = (self._taken.get(full, 0) if earlier is None else earlier.calls) + 1
        if n not in self._slept.get(full, ()):
            return self._take(name, key, _SLEEP, "")
        if key is None:
            self._check_branch(name)
        if earlier is not None:
            earlier.calls = n
        self._taken[full] = max(n, self._taken.get(full, 0))
        return None

    def take_wait(self, name: str, key: str | None, waits_for: str) -> Place:
        """The place of a wait for a signal; how long it lasts is not compared.

        Raises:
            InvalidInput: a step cannot wait; and see `take`.
            ReplayMismatch: see `take`.
        """
        outside_steps(name)
        return self._take(name, key, _digest(name, ["wait", waits_for]), waits_for)

    def take_gather(self, name: str, key: str | None, children: Iterable[str], *, eager: bool) -> Place:
        """The place of a wait for children; `eager`: the first that fails ends it.

        Raises:
            InvalidInput: a step cannot wait; and see `take`.
            ReplayMismatch: see `take`.
        """
        outside_steps(name)
        return self._take(name, key, _digest(name, ["gather", eager, list(children)]), "")

    def close(self) -> None:
        """The handler has returned. A sleep that is over it may have left out: nothing hangs on it.

        Raises:
            ReplayMismatch: it did so without a step that was recorded: it was renamed, or is gone.
        """
        if self._whole:
            for (name, n), step in self._remembered.items():
                if n > self._taken.get(name, 0) and not step.digest.startswith(SHAKEN):
                    raise ReplayMismatch(
                        f"step {name!r} number {n} was recorded, and the handler ended without it; "
                        "restore the code, or name in version= the older one whose tasks it continues"
                    )

    def _check_branch(self, name: str) -> None:
        try:
            caller: object = asyncio.current_task()
        except RuntimeError:
            caller = None
        if self._callers.setdefault(name, caller) is not caller:
            raise ReplayMismatch(f"step {name!r} is called by several branches; tell them apart with key=")


def outside_steps(name: str) -> None:
    """Refuses, within a step, what only a handler may do."""
    if inside_a_step():
        raise InvalidInput(f"a step cannot wait, nor have steps of its own: call {name!r} in the handler")


def _full_name(name: str, key: str | None) -> str:
    if not isinstance(name, str) or name not in _NAMES:
        check_name(name, "a step's name", 60)
        if len(_NAMES) < MOST_NAMES:
            _NAMES.add(name)
    if key is None:
        return name
    if len(wire.checked_text(key, "a step's key")) > 38:
        key = hashlib.sha256(key.encode()).hexdigest()[:38]
    return f"{name}[{key}]"


def _digest(name: str, arguments: Any) -> str:
    try:
        return wire.digest(arguments)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"the arguments of step {name!r} must be JSON ({error}); bind others with functools.partial"
        ) from None
