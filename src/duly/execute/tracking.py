"""`ctx.track`: submits an external job once, polls it between waits, and takes the first final answer.

The course is a generator: it says what must happen next, and one of two drivers does that, on the loop or in
a plain handler's own thread.
"""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Generator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from duly.execute.steps import StepBook
from duly.execute.verdict import raised
from duly.execute.waiting import FOR_EVER, End, Parking, in_a_step, span_to
from duly.failpoints import failpoint
from duly.model import wire
from duly.model.errors import DulyError, InvalidInput, TooLarge, TrackTimeout
from duly.model.job import (
    ANSWER_LIMIT,
    EXTERNAL_ID_LIMIT,
    NAME_LIMIT,
    Answered,
    Heard,
    Job,
    JobState,
    Opened,
    Polled,
    Submitted,
    Word,
    signal_name,
)
from duly.model.outcome import Failed, Retry
from duly.model.policy import Polling
from duly.model.task import Claimed, Step, check_text

#: What `status` (or `state`) of an answer says that a job is over, unless `final` decides.
FINAL = frozenset(
    {"succeeded", "success", "completed", "complete", "done", "finished"}
    | {"failed", "failure", "error", "cancelled", "canceled", "expired"}
)


def has_ended(answer: Any) -> bool:
    """Whether an answer such as `{"status": "succeeded", …}` says that its job is over.

    Raises:
        InvalidInput: it is no object with `status` or `state`, in words.
    """
    word = None
    if isinstance(answer, dict):
        word = answer["status"] if "status" in answer else answer.get("state")
    if not isinstance(word, str):
        raise InvalidInput('an answer without a "status" cannot be judged: give ctx.track a `final`')
    return word.lower() in FINAL


class Call(NamedTuple):
    """Run this function of the handler's with this argument."""

    function: Callable[..., Any]
    argument: Any


class Tell(NamedTuple):
    """Tell the store, and hear how the job stands."""

    word: Word | None


class Park(NamedTuple):
    """Nothing can be done before this wait is due."""

    wait: Step


class Keep(NamedTuple):
    """Remember this step."""

    step: Step


Move = Call | Tell | Park | Keep
Course = Generator[Move, Any, Any]
Caller = Callable[[functools.partial[Any]], Awaitable[Any]]
Runs = Callable[[Coroutine[Any, Any, Any]], Any]


class JobPen(Protocol):
    """Where the attempt tells of its jobs."""

    async def record(self, step: Step) -> None: ...

    async def job(self, name: str, n: int, wait: Step, word: Word | None) -> JobState: ...


class Work(NamedTuple):
    """The handler's own functions."""

    submit: Callable[[Job], Any]
    poll: Callable[[Any], Any]
    cancel: Callable[[Any], Any] | None


class Tracked:
    """One job of one attempt: its places among the steps, its rhythm, what the handler gave for it."""

    def __init__(
        self,
        claimed: Claimed,
        book: StepBook,
        name: str,
        key: str | None,
        work: Work,
        *,
        interval: float | timedelta | Polling = 10,
        timeout: float | timedelta | datetime | None = None,
        final: Callable[[Any], Any] | None = None,
    ) -> None:
        self.work = work
        self.watched = book.watched
        self._claimed = claimed
        self._polling = Polling.of(interval)
        self._end = _end(timeout)
        self._final = final or has_ended
        self.submit = book.take(name, key, ["job", "submit"])
        self.name, self.n = self.submit.name, self.submit.n
        if len(self.name) > NAME_LIMIT:
            raise InvalidInput(f"a job's name may have {NAME_LIMIT} characters, its key included")
        self._wait = book.take_wait(name, key, signal_name(self.name, self.n))
        self.cancel = book.take(name, key, ["job", "cancel"])

    @property
    def wait(self) -> Step:
        """Its wait, as far as this attempt knows it."""
        return self._wait.step(self._claimed.attempt, value="null")

    @property
    def answered(self) -> Step | None:
        """Its wait, if an earlier attempt saw it end."""
        recorded = self._wait.recorded
        return recorded if recorded is not None and recorded.taken is not None else None

    def is_final(self, answer: Any) -> bool:
        """What the handler thinks of an answer."""
        return bool(self._final(answer))

    def job(self, secret: str, public_url: str) -> Job:
        """What `submit` receives."""
        path = "/".join(quote(part, safe="") for part in (self._claimed.id, self.name, secret))
        return Job(
            task_id=self._claimed.id,
            name=self.name,
            key=f"duly-{self._claimed.id}-{self.name}-{self.n}",
            callback=f"{public_url}/api/callbacks/{path}" if public_url else None,
        )

    def submitted(self, external_id: Any) -> Submitted:
        """The word for the store."""
        if isinstance(external_id, bool) or not isinstance(external_id, str | int):
            raise InvalidInput(f"submit must return the job's id, text or a number, not {external_id!r}")
        text = check_text(str(external_id), "an external id", EXTERNAL_ID_LIMIT)
        step = self.submit.step(self._claimed.attempt, value=wire.dumps(external_id))
        return Submitted(step, text, self.delay_ms(0), self._end.due_at, self._end.delay_ms)

    def delay_ms(self, polls: int) -> int:
        """When the poll after that many comes; the same in every process."""
        die = sha256(f"{self._claimed.id}/{self.name}/{self.n}/{polls}".encode()).digest()
        return self._polling.delay_ms(polls, int.from_bytes(die[:4]) / 2**32)

    def polled(self, state: JobState, error: Exception | None = None) -> Polled:
        """The word for a poll that brought nothing final, or failed."""
        number = state.polls + 1
        if error is None:
            return Polled(number, self.delay_ms(number))
        after = error.after if isinstance(error, Retry) else None
        return Polled(number, self.delay_ms(number) if after is None else round(1000 * after), told(error))

    def cancel_step(self, error: str | None) -> Step:
        """That the vendor was told, or how that failed."""
        return self.cancel.step(self._claimed.attempt, value=wire.dumps(error))

    def worn_out(self, state: JobState) -> bool:
        """Whether so many polls in a row have failed that the attempt fails with the last one."""
        return state.step.taken is None and state.failures > self._polling.patience


def told(error: Exception) -> str:
    """What a function of the handler's raised, in a line that every database keeps."""
    outcome = raised(error)
    return outcome.message[:500] if isinstance(outcome, Failed) else type(error).__name__


def _end(timeout: float | timedelta | datetime | None) -> End:
    if timeout is None:
        return FOR_EVER
    if isinstance(timeout, datetime):
        return span_to(timeout, "a timeout", seconds=0)
    return span_to(None, "a timeout", seconds=timeout)


def course(tracked: Tracked) -> Course:
    """All that happens to a job, from its submit to its answer."""
    with tracked.watched():
        return (yield from _course(tracked))


def _course(tracked: Tracked) -> Course:
    if tracked.submit.recorded is None:
        external_id, state = yield from _submitted(tracked)
    else:
        external_id = tracked.submit.value()
        if tracked.answered is not None:
            state = JobState(tracked.answered, 0)
        else:
            state = yield Tell(None)
    while state.step.taken is None:
        if state.callback is not None:
            state = yield Tell(_heard(tracked, *state.callback))
        elif state.step.due_at is not None and state.now < state.step.due_at:
            state = yield Park(state.step)
        else:
            state = yield from _polled(tracked, external_id, state)
    if state.step.taken:
        return json.loads(state.step.value)
    if tracked.work.cancel is not None and tracked.cancel.recorded is None:
        yield from _cancelled(tracked, tracked.work.cancel, external_id)
    raise TrackTimeout(f"the job {external_id} ({tracked.name}) did not end in time", external_id=external_id)


def _submitted(tracked: Tracked) -> Generator[Move, Any, tuple[Any, JobState]]:
    """The secret is known to the store before the vendor has it, and the id before anybody waits."""
    secret = secrets.token_urlsafe(32)
    state = yield Tell(Opened(sha256(secret.encode()).hexdigest()))
    external_id = yield Call(tracked.work.submit, tracked.job(secret, state.public_url))
    failpoint("job.submitted")
    state = yield Tell(tracked.submitted(external_id))
    failpoint("job.recorded")
    return external_id, state


def _polled(tracked: Tracked, external_id: Any, state: JobState) -> Generator[Move, Any, JobState]:
    """One poll. What it raises is tried again by the next one, unless it is meant for good, or too often."""
    try:
        text = _text((yield Call(tracked.work.poll, external_id)))
        word: Word = Answered(text) if tracked.is_final(json.loads(text)) else tracked.polled(state)
    except Exception as error:
        if isinstance(error, DulyError) and not isinstance(error, Retry):
            raise
        after: JobState = yield Tell(tracked.polled(state, error))
        if tracked.worn_out(after):
            raise
        return after
    failpoint("job.polled")
    state = yield Tell(word)
    return state


def _text(answer: Any) -> str:
    text = wire.dumps(answer, what="a poll's answer")
    if len(text.encode()) > ANSWER_LIMIT:
        raise TooLarge(f"a poll's answer may hold {ANSWER_LIMIT} bytes; return a reference")
    return text


def _heard(tracked: Tracked, n: int, data: str) -> Heard:
    """What is no answer that `final` can read is not final: a stranger's words must not end the task."""
    try:
        return Heard(n, tracked.is_final(json.loads(data)))
    except Exception:  # noqa: BLE001 - whatever `final` is surprised by
        return Heard(n, final=False)


def _cancelled(tracked: Tracked, cancel: Callable[[Any], Any], external_id: Any) -> Course:
    """Tells the vendor once that nobody waits any more; if that fails, the step's value says how."""
    said = None
    try:
        yield Call(cancel, external_id)
    except Exception as error:  # noqa: BLE001 - what the handler must hear of is the timeout
        said = told(error)
    yield Keep(tracked.cancel_step(said))


async def drive(tracked: Tracked, pen: JobPen, parking: Parking, call: Caller) -> Any:
    """Runs a course on the loop; `call` runs a function of the handler's, a plain one in a thread."""

    async def done(move: Move) -> Any:
        if isinstance(move, Park):
            await parking.park(move.wait)
        with parking.active():
            if isinstance(move, Call):
                return await call(functools.partial(move.function, move.argument))
            return await _written(move, tracked, pen)

    steps = course(tracked)
    try:
        move = next(steps)
        while True:
            try:
                answer = await done(move)
            except Exception as error:  # noqa: BLE001 - the course decides what it means
                move = steps.throw(error)
            else:
                move = steps.send(answer)
    except StopIteration as end:
        return end.value


def drive_here(tracked: Tracked, pen: JobPen, parking: Parking, run: Runs) -> Any:
    """Runs a course in a plain handler's own thread; `run` runs a coroutine on the loop."""

    def done(move: Move) -> Any:
        if isinstance(move, Park):
            run(parking.park(move.wait))
        if isinstance(move, Call):
            with in_a_step():
                return move.function(move.argument)
        return run(_written(move, tracked, pen))

    steps = course(tracked)
    try:
        move = next(steps)
        while True:
            try:
                answer = done(move)
            except Exception as error:  # noqa: BLE001 - the course decides what it means
                move = steps.throw(error)
            else:
                move = steps.send(answer)
    except StopIteration as end:
        return end.value


async def _written(move: Move, tracked: Tracked, pen: JobPen) -> JobState | None:
    if isinstance(move, Keep):
        await pen.record(move.step)
        return None
    word = move.word if isinstance(move, Tell) else None
    return await pen.job(tracked.name, tracked.n, tracked.wait, word)
