"""Which handler does which task type, and with what limits. Filled by `@duly.task`, read by everyone."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from duly.model.errors import InvalidInput, UnknownTaskType
from duly.model.limit import Limits
from duly.model.policy import RetryPolicy
from duly.model.task import check_name, check_ttl, code_word

#: Where an attempt runs; each lane has its own number of slots.
LANES = ("loop", "thread", "process")
#: How the names of task types begin that are Duly's own.
BUILT_IN = "duly."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskType:
    """One handler and the defaults of its tasks; `timeout` in seconds.

    `versions`: that of its code, then those whose tasks it can continue.
    """

    name: str
    handler: Callable[..., Any]
    queue: str = "default"
    timeout: float = 600.0
    isolate: bool = False
    #: Seconds that an ended task is kept; None: as long as the installation says.
    result_ttl: float | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    versions: tuple[str, ...] = ("",)
    limits: Limits = field(default_factory=Limits)
    #: `process` when isolated, `loop` for async handlers, `thread` for plain ones.
    lane: str = field(init=False)

    def __post_init__(self) -> None:
        check_name(self.name, "a task type", 100)
        check_name(self.queue, "queue")
        self._check_versions()
        if self.timeout <= 0:
            raise ValueError(f"timeout must be more than 0 seconds, not {self.timeout}")
        if self.result_ttl is not None:
            check_ttl(round(self.result_ttl * 1000))
        parameters = list(inspect.signature(self.handler).parameters.values())
        if not parameters:
            raise ValueError(f"the handler of {self.name!r} needs a first parameter for the context")
        lane = "loop" if asyncio.iscoroutinefunction(self.handler) else "thread"
        object.__setattr__(self, "lane", "process" if self.isolate else lane)

    def _check_versions(self) -> None:
        if not self.versions:
            raise ValueError(f"the handler of {self.name!r} needs a version, which may be empty")
        for version in self.versions:
            if version != "":
                check_name(version, "version")

    @property
    def version(self) -> str:
        """The version of its code."""
        return self.versions[0]

    @property
    def words(self) -> tuple[str, ...]:
        """The tasks that it can run: those of its type that have no step yet, and those of its versions."""
        return tuple(code_word(self.name, version) for version in (None, *dict.fromkeys(self.versions)))

    def bind(self, input_: Any) -> dict[str, Any]:
        """The handler's keyword arguments from the task's input object.

        Raises:
            InvalidInput: a key is missing or unknown, or the input is not an object.
        """
        if not isinstance(input_, dict):
            raise InvalidInput(f"the input of {self.name!r} must be a JSON object")
        context, required, accepted = _keys(self.handler)
        if not (required <= input_.keys() and input_.keys() <= accepted):
            try:
                inspect.signature(self.handler).bind(None, **input_)
            except TypeError as error:
                raise InvalidInput(f"the input of {self.name!r} does not fit its handler: {error}") from None
        if context in input_:
            return {key: value for key, value in input_.items() if key != context}
        return input_


@functools.lru_cache(maxsize=4096)
def _keys(handler: Callable[..., Any]) -> tuple[str, frozenset[str], frozenset[str]]:
    """The context's name, the keys that an input needs, and those that it may have without a closer look."""
    first, *rest = inspect.signature(handler).parameters.values()
    single = [one for one in rest if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    required = frozenset(one.name for one in single if one.default is one.empty)
    accepted = frozenset(one.name for one in single if one.kind is not one.POSITIONAL_ONLY)
    return first.name, required, accepted


class Registry:
    """The task types of one program, by name."""

    def __init__(self) -> None:
        self._types: dict[str, TaskType] = {}

    def add(self, task_type: TaskType) -> None:
        """Adds a task type; a second one of the same name is a programming error."""
        known = self._types.get(task_type.name)
        if known is not None and known.handler is not task_type.handler:
            raise ValueError(f"two handlers are called {task_type.name!r}")
        self._types[task_type.name] = task_type

    def include(self, other: Registry) -> None:
        """Adds all task types of another registry."""
        for task_type in other:
            self.add(task_type)

    def __getitem__(self, name: str) -> TaskType:
        try:
            return self._types[name]
        except KeyError:
            own = sorted(known for known in self._types if not known.startswith(BUILT_IN))
            known = ", ".join(own) or "none: pass --app module:object or --apps NAME"
            raise UnknownTaskType(f"unknown task type {name!r}; known: {known}", name=name) from None

    def __iter__(self) -> Iterator[TaskType]:
        return iter(self._types.values())

    def __len__(self) -> int:
        return len(self._types)

    def words(self, lane: str | None = None) -> list[str]:
        """What a worker can run, in this lane if one is given: see `TaskType.words`."""
        return sorted(word for kind in self if lane in (None, kind.lane) for word in kind.words)
