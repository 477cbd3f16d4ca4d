"""What a server refused, as it said it (RFC 9457): a `Problem` by status; or no answer: `Unreachable`."""

from __future__ import annotations

from typing import Any

import httpx2


class Problem(Exception):
    """The server refused. `code` is for programs, `detail` for people; `errors` names what is wrong where."""

    def __init__(self, status: int, said: dict[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.code = str(said.get("code", "error"))
        self.detail = str(said.get("detail") or f"the server answered {status}")
        self.errors: list[dict[str, str]] = list(said.get("errors") or [])
        self.retry_after = retry_after
        super().__init__(self.detail)


class Invalid(Problem):
    """400, 413, 415, 422: correct it and send it again."""


class Unauthorized(Problem):
    """401: credentials are missing or wrong."""


class Forbidden(Problem):
    """403: these credentials do not allow this."""


class NotFound(Problem):
    """404: there is no such thing, or it is somebody else's."""


class Conflict(Problem):
    """409: the task's state does not allow it."""


class TooManyRequests(Problem):
    """429: a quota or a rate is used up; come again after `retry_after` seconds."""


class Unavailable(Problem):
    """5xx: the server or its database cannot do it now."""


class Unreachable(Exception):
    """The server did not answer."""


_BY_STATUS: dict[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def problem(response: httpx2.Response) -> Problem:
    """The error that a read answer of 400 or above stands for."""
    try:
        said = response.json()
    except ValueError:
        said = {}
    otherwise = Invalid if response.status_code < 500 else Unavailable
    kind = _BY_STATUS.get(response.status_code, otherwise)
    return kind(response.status_code, said if isinstance(said, dict) else {}, retry_after(response))


def retry_after(response: httpx2.Response) -> float | None:
    """The header's seconds; None: not said, or as a date."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 7 else None
