"""The quick way on PostgreSQL: the event loop sends statements that are whole transactions (decision 0018).

Between a submit and the handler's start every change of thread counts. What has a quick form goes this way
while all is well; whatever fails here goes to the writer, which is the truth.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from duly.clock import Clock, ServerClock
from duly.failpoints import failpoint
from duly.model.events import Emit
from duly.store.claims import claim, finish, quick_finish
from duly.store.driver import Line
from duly.store.errands import Errands
from duly.store.quick import Quick, Quickly
from duly.store.submissions import quick_submit, submit
from duly.store.taking import quick_claim
from duly.store.transaction import Moment, Row, given
from duly.store.writer import GROUP_ITEMS, Call, Verb, settle

#: The rest before a lost connection is made again, and how long `stop` waits for an answer, in seconds.
RECONNECT_SECONDS = 1.0
CLOSE_SECONDS = 5.0
#: How many statements are under way: the server works on the second while the first one's answer is read.
DEPTH = 2
#: A call of so many items, or so many together, need not wait for more to go with. Of those more are under
#: way: while the loop makes the next ones, it reads no answer.
LARGE, DEPTH_OF_LARGE = 64, 8
#: The verbs that have a quick form.
FORMS: dict[Verb, Quick] = {submit: quick_submit, claim: quick_claim, finish: quick_finish}


@dataclass(slots=True, eq=False)
class _Group:
    """Calls of one verb that go together."""

    calls: list[Call]
    form: Quickly[Sequence[Any]]
    #: Whether others hear of its last statement's commit.
    told: bool = False

    @property
    def news(self) -> bool:
        """Whether others should: claims are no news."""
        return not self.calls[0].last

    @property
    def large(self) -> bool:
        return sum(len(call.items) for call in self.calls) >= LARGE

    @property
    def verb(self) -> Verb:
        return self.calls[0].verb


class Express:
    """Takes calls of verbs with a quick form, and sends them in groups.

    `at` makes a moment of milliseconds UTC, `pass_on` gets the calls that the writer must do, `committed` the
    verbs of a commit; `heard` is called when other processes have committed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connect: Callable[[], Line],
        *,
        clock: Clock,
        at: Callable[[int], Moment],
        pass_on: Callable[[Sequence[Call]], None],
        committed: Callable[[Set[Verb]], None],
        heard: Callable[[], None],
        emit: Emit,
    ) -> None:
        self._loop = loop
        self._connect = connect
        self._time = ServerClock(clock)
        self._at = at
        self._pass_on = pass_on
        self._committed = committed
        self._heard = heard
        self._emit = emit
        self._line: Line | None = None
        self._waiting: deque[Call] = deque()
        self._under_way: list[_Group] = []
        self._closed = False
        self._errands = Errands(
            loop,
            self._time,
            lambda: self._moment.heads,
            carry_on=self._carry_on,
            give_up=lambda: self._leave(list(self._waiting)),
        )

    def start(self) -> bool:
        """Connects, and blocks meanwhile; hints of others come the same way, always."""
        self._attach(self._connect())
        return True

    def _attach(self, line: Line) -> None:
        self._line = line
        line.attach(self._loop, heard=self._heard, lost=self._on_lost)
        self._heard()  # what came while nobody listened

    def take(self, call: Call) -> bool:
        """Whether the call goes this way. `go` must follow."""
        if self._line is None or call.loop is not self._loop or call.verb not in FORMS:
            return False
        if call.last:  # a claim: what it brings begins while the server records what has ended
            self._waiting.appendleft(call)
        else:
            self._waiting.append(call)
        return True

    def go(self) -> None:
        """Sends what waits, as far as it should not wait for more."""
        while (
            (line := self._line) is not None
            and self._waiting
            and _may_go(line, self._waiting, self._under_way)
        ):
            if not self._time.known:
                self._errands.ask_the_time(line)
                return
            calls = _gathered(self._waiting)
            form = FORMS[calls[0].verb](self._moment, [item for call in calls for item in call.items])
            group = _Group(calls, form)
            self._under_way.append(group)
            self._step(line, group, None)

    def tell(self) -> None:
        """Other processes should look, for the writer has committed; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody here works any more
            self._loop.call_soon_threadsafe(self._tell)

    def stop(self) -> None:
        """Waits for what is under way; the writer does the rest."""
        self._closed = True
        line, self._line = self._line, None
        if line is not None:
            line.wait(CLOSE_SECONDS)
            if self._errands.news.untold:
                line.say(line.hint, lambda _: None)
                line.wait(CLOSE_SECONDS)
            line.close()
        under_way, self._under_way = self._under_way, []
        self._leave([call for group in under_way for call in group.calls] + list(self._waiting))

    @property
    def _moment(self) -> Moment:
        return self._at(self._time.now())

    def _step(self, line: Line, group: _Group, rows: list[Row] | None) -> None:
        """Sends a group's next statement, or resolves it."""
        try:
            asked = next(group.form) if rows is None else group.form.send(rows)
            failpoint("store.before_commit")
        except StopIteration as end:
            self._end(group, end.value)
        except Exception as error:  # noqa: BLE001 - the writer will say what is wrong
            self._fail(group, error)
        else:
            values = given(asked.parameters, self._time.now())
            group.told = group.news and not group.large and self._errands.news.go(self._time.monotonic())
            line.run(asked.name, values, lambda told: self._arrived(line, group, told), hint=group.told)

    def _arrived(self, line: Line, group: _Group, told: list[Row] | Exception) -> None:
        """After an error it is unknown whether it was committed: the verbs recognise their own work."""
        if isinstance(told, Exception):
            self._fail(group, told)
            return
        try:
            failpoint("store.committed")
        except Exception as error:  # noqa: BLE001 - as if the answer had been lost
            self._fail(group, error)
        else:
            self._errands.plans.used()
            self._step(line, group, told)

    def _fail(self, group: _Group, error: Exception) -> None:
        self._emit("store.again", calls=len(group.calls), error=repr(error))
        self._end(group, None)

    def _end(self, group: _Group, answers: Sequence[Any] | None) -> None:
        """What comes next is sent before callers go on: the database works on it meanwhile."""
        if group not in self._under_way:  # it was left to the writer
            return
        self._under_way.remove(group)
        if answers is None:
            self._errands.news.untold |= group.told  # of others' commits, too
            self._pass_on(group.calls)
        else:
            self._errands.news.untold |= group.news and not group.told
            self._committed({group.verb})
        self._carry_on()
        if answers is not None:
            settle(_shared_out(group.calls, answers))

    def _carry_on(self) -> None:
        """After an answer: what is due beside the work, and the work."""
        line = self._line
        if line is None:
            return
        self._errands.run(line, waited_for=bool(self._waiting))
        self.go()

    def _tell(self) -> None:
        """Now, or when the pause is over."""
        self._errands.news.untold = True
        self._carry_on()

    def _leave(self, calls: list[Call]) -> None:
        """To the writer; what is under way now is left by whoever learns how it ended."""
        self._waiting.clear()
        if calls:
            self._pass_on(calls)

    def _on_lost(self) -> None:
        """All goes to the writer until there is another line."""
        line, self._line = self._line, None
        if line is None:
            return
        self._emit("store.reconnecting", error="the loop's connection is lost")
        line.close()
        self._leave(list(self._waiting))
        self._errands.drop()
        self._loop.call_later(RECONNECT_SECONDS, self._reconnect)

    def _reconnect(self) -> None:
        if not self._closed:
            self._loop.run_in_executor(None, self._connect).add_done_callback(self._reconnected)

    def _reconnected(self, made: asyncio.Future[Line]) -> None:
        if made.exception() is None and self._closed:
            made.result().close()
        elif made.exception() is None:
            self._attach(made.result())
            self._carry_on()  # what nobody was told of meanwhile
        else:
            self._loop.call_later(RECONNECT_SECONDS, self._reconnect)


def _may_go(line: Line, waiting: Sequence[Call], under_way: Sequence[_Group]) -> bool:
    """Whether what waits goes now: when nothing is under way; beside it what is of another verb, or large."""
    if not line.under_way:
        return True
    verb, count = waiting[0].verb, 0
    for call in waiting:
        count += len(call.items) if call.verb is verb else 0
        if count >= LARGE:
            return line.under_way < DEPTH_OF_LARGE
    return line.under_way < DEPTH and all(group.verb is not verb for group in under_way)


def _gathered(waiting: deque[Call]) -> list[Call]:
    """Takes out the first call, and what goes with it."""
    first = waiting.popleft()
    group, rest, count = [first], [], len(first.items)
    while waiting and count < GROUP_ITEMS:
        call = waiting.popleft()
        if call.verb is first.verb:
            group.append(call)
            count += len(call.items)
        else:
            rest.append(call)
    waiting.extendleft(reversed(rest))
    return group


def _shared_out(group: Sequence[Call], answers: Sequence[Any]) -> list[tuple[Call, Any]]:
    start, each = 0, []
    for call in group:
        each.append((call, answers[start : start + len(call.items)]))
        start += len(call.items)
    return each
