"""What a handler did, as an outcome: the value it returned or the exception it raised."""

from __future__ import annotations

import traceback
from typing import Any

from duly.model import wire
from duly.model.chat import ModelAway, ModelPaused
from duly.model.errors import DulyError, InvalidInput
from duly.model.outcome import (
    STOPS,
    Completed,
    Fail,
    Failed,
    HandedBack,
    Leave,
    Outcome,
    Retry,
    Snooze,
    Snoozed,
    Suspend,
    Suspended,
)

CODE_LIMIT = 100
ERROR_LIMIT = 2000
TRACEBACK_LIMIT = 20_000


def returned(value: Any) -> Outcome:
    """The outcome of a handler that returned."""
    try:
        return Completed(wire.dumps(value, what="the result"))
    except InvalidInput as error:
        return Failed(code=error.code, message=str(error), retryable=False)


def raised(error: BaseException) -> Outcome:
    """The outcome of a handler that raised. Never raises itself, whatever the exception is made of."""
    try:
        return _outcome(error)
    except Exception as defect:  # noqa: BLE001 - for instance an exception whose text cannot be had
        kind, reason = type(error).__name__, type(defect).__name__
        return Failed(code="handler_error", message=_clean(f"{kind}, which cannot be told: {reason}"))


def _outcome(error: BaseException) -> Outcome:
    match error:
        case Fail():
            return Failed(code=_code(error), message=_clean(str(error)), retryable=False)
        case Retry():
            after = None if error.after is None else round(error.after * 1000)
            return Failed(code=_code(error), message=_clean(str(error)), after_ms=after)
        case Snooze():
            return Snoozed(round(error.seconds * 1000), _clean(str(error)))
        case ModelPaused():
            return Snoozed(round(error.after * 1000), _clean(str(error)), error.gates)
        case ModelAway():
            after = None if error.after is None else round(error.after * 1000)
            return Failed(code=_code(error), message=_clean(str(error)), after_ms=after)
        case Suspend():
            return Suspended(error.waits)
        case Leave():
            return HandedBack(STOPS)
        case DulyError():
            return Failed(
                code=_code(error), message=_clean(str(error)), traceback=_trace(error), retryable=False
            )
    message = _clean(f"{type(error).__name__}: {error}".rstrip(": "))
    return Failed(code="handler_error", message=message, traceback=_trace(error))


def _code(error: DulyError) -> str:
    return _clean(str(error.code), CODE_LIMIT)


def _trace(error: BaseException) -> str:
    return _clean("".join(traceback.format_exception(error))[-TRACEBACK_LIMIT:], TRACEBACK_LIMIT)


def _clean(text: str, limit: int = ERROR_LIMIT) -> str:
    """Text that every database keeps: an exception's message may hold anything."""
    kept = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:limit]
    return kept.encode("utf-8", "replace").decode("utf-8")
