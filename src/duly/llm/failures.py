"""What a failed request means: try again, leave this provider alone and say so, or give up.

By status and code, with the oddities of DashScope: a 429 that reads like billing is its limit per minute, an
unpaid account comes as 400. Source: the vendors' lists of error codes, and reports against them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Whose matter a failure is."""

    RETRY = "retry"  #: this request's: another, here or elsewhere, may succeed
    LIMITED = "limited"  #: too many requests or tokens: nobody shall ask here for a while
    SWITCH = "switch"  #: this provider's account or address: others may succeed, somebody must look
    FATAL = "fatal"  #: the question's: no provider will answer it


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failed request. `after`: seconds that the provider asked to be left alone."""

    kind: Kind
    code: str
    message: str
    status: int | None = None
    after: float | None = None


class RequestFailed(Exception):
    """A request failed; `failure` says what that means."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.code}: {failure.message}")
        self.failure = failure


#: Codes that decide whatever the status; compared without case and separators.
_BY_CODE = {
    "arrearage": Kind.SWITCH,
    "accessdenied": Kind.SWITCH,
    "invalidapikey": Kind.SWITCH,
    "modelnotfound": Kind.SWITCH,
    "billinghardlimitreached": Kind.SWITCH,
    "datainspectionfailed": Kind.FATAL,
    "contentfilter": Kind.FATAL,
    "contentpolicyviolation": Kind.FATAL,
    "contextlengthexceeded": Kind.FATAL,
}
#: Parts of codes that say of too many requests, where no 429 does.
_LIMITS = ("throttling", "ratelimit", "quota")
_ACCOUNT = frozenset({401, 402, 403, 404})


def of_status(
    status: int, code: str, message: str, *, after: float | None, quota_per_minute: bool
) -> Failure:
    """What an answer with an error status means."""
    if status < 400:  # a proxy's or a sign-in page's: followed nowhere, for the key would go along
        return bad_answer("bad_answer", f"HTTP {status}, no answer: {message}")
    return Failure(
        kind=_kind(status, code, quota_per_minute=quota_per_minute),
        code=code or f"http_{status}",
        message=message[:500],
        status=status,
        after=after,
    )


def told(body: object, *, quota_per_minute: bool) -> Failure | None:
    """What an error means that stands in an answer whose status is 200; None: it says of none.

    Its code may be a word or the status that the answer should have had.
    """
    if not isinstance(body, Mapping) or not (body.get("code") or body.get("type")):
        return None
    code, type_, message = (str(body.get(name) or "") for name in ("code", "type", "message"))
    if re.fullmatch("[45][0-9][0-9]", code):
        return of_status(int(code), type_, message, after=None, quota_per_minute=quota_per_minute)
    code = code or type_
    kind = _kind_of(code, quota_per_minute=quota_per_minute) or Kind.RETRY
    return Failure(kind=kind, code=code, message=message[:500])


def _kind_of(code: str, *, quota_per_minute: bool) -> Kind | None:
    """What a code means that comes without a status, if that is known."""
    word, whole = _word(code.rpartition(".")[2]), _word(code)
    if word in _BY_CODE:
        return _BY_CODE[word]
    if word == "insufficientquota" and not quota_per_minute:
        return Kind.SWITCH
    return Kind.LIMITED if any(part in whole for part in _LIMITS) else None


def _word(code: str) -> str:
    return "".join(letter for letter in code.lower() if letter.isalnum())


def _kind(status: int, code: str, *, quota_per_minute: bool) -> Kind:
    word = _word(code.rpartition(".")[2])
    if status >= 500:
        return Kind.RETRY
    if status == 429:
        return Kind.SWITCH if word == "insufficientquota" and not quota_per_minute else Kind.LIMITED
    if word in _BY_CODE:
        return _BY_CODE[word]
    if status in _ACCOUNT:
        return Kind.SWITCH
    return Kind.RETRY if status == 408 else Kind.FATAL


def bad_answer(code: str, message: str) -> Failure:
    """An answer that is none: it may have cost something, and another may be one."""
    return Failure(kind=Kind.RETRY, code=code, message=message[:500])


def bad_question(why: str) -> Failure:
    """A question that cannot be sent, here or elsewhere: nobody was asked."""
    return Failure(kind=Kind.FATAL, code="bad_question", message=f"the question cannot be sent: {why}"[:500])
