"""Looks at a batch before it is accepted: each member as `submit` would, so that none is refused later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from duly.model.batch import MEMBER_OPTIONS, MEMBERS, MOST_MEMBERS, POLICIES
from duly.model.errors import InvalidInput
from duly.model.task import Submission

if TYPE_CHECKING:
    from duly.submit.admit import Options

#: Makes a submission of a task type, an input and options, or refuses.
Member = Callable[[str, Any, Mapping[str, Any]], Submission]
#: So many of the refused members are named in the error's one line; its `errors` name all.
NAMED = 5
SAID = 200


def checked(input_: Any, options: Options, member: Member) -> tuple[Options, Mapping[str, int]]:
    """The options of a batch whose members are all acceptable, and how many of these will wait in which
    queue. It waits where its first member will, unless it was told where, and its metadata say how many
    they are.

    Raises:
        InvalidInput: the batch is none, or members of it are refused; `errors` points at each of them.
    """
    tasks = _tasks(input_)
    errors: list[dict[str, str]] = []
    queues: list[str] = []
    for n, task in enumerate(tasks):
        try:
            queues.append(_accepted(task, member).conditions.queue)
        except InvalidInput as error:
            errors.append({"detail": error.message[:SAID], "pointer": f"#/tasks/{n}"})
    if errors:
        raise InvalidInput(_told(errors, len(tasks)), errors=errors)
    metadata = options.metadata
    if isinstance(metadata, Mapping):  # anything else is refused with the other options
        metadata = {**metadata, MEMBERS: len(tasks)}
    return replace(options, queue=options.queue or queues[0], metadata=metadata), Counter(queues)


def _tasks(input_: Any) -> list[Any]:
    """The members that an input names."""
    given = input_ if isinstance(input_, Mapping) else {}
    tasks = given.get("tasks")
    if not isinstance(tasks, list) or not 1 <= len(tasks) <= MOST_MEMBERS:
        raise InvalidInput(f"a batch needs `tasks`: a list of 1 to {MOST_MEMBERS} tasks")
    if given.get("policy", POLICIES[0]) not in POLICIES:
        raise InvalidInput(f"a batch's policy must be one of: {', '.join(POLICIES)}")
    return tasks


def _accepted(task: Any, member: Member) -> Submission:
    if not isinstance(task, Mapping) or not isinstance(task.get("task_type"), str):
        raise InvalidInput("a task is an object with a task_type")
    options = {key: value for key, value in task.items() if key not in ("task_type", "input")}
    options = {key: value for key, value in options.items() if value is not None}
    for key, value in options.items():
        if key not in MEMBER_OPTIONS:
            raise InvalidInput(f"a batch's task takes no {key[:40]!r}; only: {', '.join(MEMBER_OPTIONS)}")
        if not isinstance(value, MEMBER_OPTIONS[key]):
            raise InvalidInput(f"{key} has the wrong type")
    return member(task["task_type"], {} if task.get("input") is None else task["input"], options)


def _told(errors: list[dict[str, str]], total: int) -> str:
    """One line that names what is refused, the first of it."""
    first = [f"{one['pointer'].removeprefix('#/')}: {one['detail']}" for one in errors[:NAMED]]
    more = f"; and {len(errors) - NAMED} more" if len(errors) > NAMED else ""
    return f"{len(errors)} of {total} tasks cannot be accepted: {'; '.join(first)}{more}"
