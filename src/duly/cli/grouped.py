"""Lets a command take its options in groups: the fields of a frozen dataclass become options of their own."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter
from typing import Any, get_type_hints

Command = Callable[..., None]


def grouped(command: Command) -> Command:
    """The command with one parameter per option, as Typer reads it; called, it gets its groups back."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    parameters = [
        one
        for parameter in inspect.signature(command).parameters.values()
        for one in _spread(parameter.replace(annotation=hints[parameter.name]))
    ]

    def flat(**given: Any) -> None:
        command(**_gathered(groups, given))

    flat.__name__, flat.__doc__ = command.__name__, command.__doc__
    flat.__annotations__ = {one.name: one.annotation for one in parameters}
    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return flat


def _spread(parameter: Parameter) -> Iterator[Parameter]:
    group = parameter.annotation
    if not dataclasses.is_dataclass(group):
        yield parameter.replace(kind=Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        yield Parameter(
            field.name, Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name]
        )


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default is not dataclasses.MISSING:
        return field.default
    return Parameter.empty


def _gathered(groups: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    rest, found = dict(given), {}
    for name, group in groups.items():
        found[name] = group(**{field.name: rest.pop(field.name) for field in dataclasses.fields(group)})
    return {**rest, **found}
