"""Reads where answers go: `"inbox"`, a URL, `{channel, …}`, or `{"first_of": […]}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from duly.model.errors import InvalidInput
from duly.model.task import FIRST_OF, Target

_SHAPE = "deliver: a target is 'inbox', a URL, {channel, url or id, valid_until, tries}, or {first_of}"
_KEYS = frozenset({"channel", "url", "id", "valid_until", "tries"})
Moment = Callable[[Any], int | None]


def parsed(given: Sequence[Target | Mapping[str, Any] | str], moment: Moment) -> tuple[Target, ...]:
    """The targets; `moment` reads until when one is valid, in milliseconds UTC.

    Raises:
        InvalidInput: one of them is none.
    """
    return tuple(target(one, moment) for one in given)


def target(value: Target | Mapping[str, Any] | str, moment: Moment) -> Target:
    """One target."""
    match value:
        case Target():
            return value
        case "inbox":
            return Target(channel="inbox")
        case str():
            return Target(channel="webhook", url=value)
        case Mapping() if set(value) == {FIRST_OF} and isinstance(value[FIRST_OF], list | tuple):
            return Target(channel=FIRST_OF, first_of=parsed(value[FIRST_OF], moment))
        case Mapping():
            return _plain(value, moment)
    raise InvalidInput(_SHAPE)


def _plain(value: Mapping[str, Any], moment: Moment) -> Target:
    tries = value.get("tries")
    texts = [value.get("channel"), value.get("url", ""), value.get("id", "")]
    is_number = tries is None or (isinstance(tries, int) and not isinstance(tries, bool))
    if set(value) - _KEYS or not all(isinstance(one, str) for one in texts) or not is_number:
        raise InvalidInput(_SHAPE)
    channel, url, id_ = map(str, texts)
    return Target(channel=channel, url=url, id=id_, tries=tries, valid_until=moment(value.get("valid_until")))
