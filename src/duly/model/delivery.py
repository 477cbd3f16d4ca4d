"""The words of deliveries: how one send ended, what is logged of it, and what an endpoint is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from duly.model.errors import InvalidInput
from duly.model.task import check_name, check_text, check_web_address

#: How many sends of a delivery its log keeps.
LOG_MOST = 20
EVENTS = ("task.completed", "task.failed", "task.cancelled")
FORMATS = ("standard-webhooks", "cloudevents")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
#: Headers that are ours or the connection's; and any that begins with one of the prefixes.
REFUSED = frozenset(
    {
        *("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection"),
        *("keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "upgrade", "expect"),
        *("user-agent", "accept", "accept-encoding", "cookie", "date", "forwarded", "via"),
    }
)
REFUSED_PREFIXES = ("webhook-", "svix-", "ce-", "x-forwarded-")


class Outcome(StrEnum):
    """How one send ended, for the log and for whoever looks.

    Only `sent` delivers. `rejected`: this answer is not taken, and never will be; `route_dead`: nothing is
    taken there any more; both end it. `retry`: it was not taken now. `unknown`: the request was written and
    no answer came, so the receiver may have it; it is sent again by schedule, with the same id.
    """

    SENT = "sent"
    REJECTED = "rejected"
    RETRY = "retry"
    ROUTE_DEAD = "route_dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointWish:
    """What is asked of an endpoint: where, in which form, of which ends, with which headers.

    Raises:
        InvalidInput: a URL, an event, a type, a format or a header that is none, or is not allowed.
    """

    url: str
    format: str = FORMATS[0]
    events: tuple[str, ...] = ()
    task_types: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    ordered: bool = False

    def __post_init__(self) -> None:
        check_web_address(self.url, "an endpoint")
        if self.format not in FORMATS:
            raise InvalidInput(f"format must be {' or '.join(FORMATS)}, not {self.format!r}")
        if unknown := [one for one in self.events if one not in EVENTS]:
            raise InvalidInput(f"there is no event {unknown[0]!r}; there are {', '.join(EVENTS)}")
        if len(self.task_types) > 100:
            raise InvalidInput("an endpoint names at most 100 task types")
        for one in self.task_types:
            check_name(one, "a task type", 100)
        check_headers(self.headers)


def check_headers(headers: Mapping[str, str]) -> None:
    """Custom headers: names that are tokens and not ours, values of visible ASCII on one line."""
    if len(headers) > 20:
        raise InvalidInput("an endpoint has at most 20 headers of its own")
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            raise InvalidInput(f"{name!r} is not the name of a header")
        if name.lower() in REFUSED or name.lower().startswith(REFUSED_PREFIXES):
            raise InvalidInput(f"an endpoint cannot set the header {name}")
        check_text(value, f"the header {name}", 1000)
        if not value.isascii() or not value.isprintable():
            raise InvalidInput(f"the header {name} holds a line break or what is not ASCII")
    if len({name.lower() for name in headers}) < len(headers):
        raise InvalidInput("a header is given twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A receiver of an owner's ends, as it stands. `secrets`: (secret, milliseconds UTC until which it signs,
    or None), the newest first."""

    id: str
    tenant: str
    owner: str
    wish: EndpointWish
    secrets: tuple[tuple[str, int | None], ...]
    enabled: bool = True
    reason: str | None = None
    failing_since: int | None = None
    created_at: int = 0
    updated_at: int = 0

    def signing(self, now: int) -> tuple[str, ...]:
        """The secrets that sign now."""
        return tuple(secret for secret, until in self.secrets if until is None or until > now)
