"""What is due beside the work on the event loop's own connection: one thing at a time, nothing for ever.

Over a long line there are news, and queues to look at, whenever the last thing is done. So the server's clock
goes first, without which no work goes; news come after the rest, and a look after a look comes last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from duly.clock import ServerClock
from duly.store.driver import Line
from duly.store.heads import FRONT, Heads
from duly.store.heads import given as look_at
from duly.store.transaction import Row, given

#: After which time the server's clock is asked again beside the work, in seconds.
CLOCK_AGAIN = 1.0
#: At most one hint to other processes in this time, in seconds.
TELL_PAUSE = 0.005
#: Plans are made anew after one statement, then after four times as many, and after this time, in seconds.
PLANS_SECONDS = 60.0


class Errands:
    """`carry_on` is called after each of them, `give_up` when the server would not tell its time."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        time: ServerClock,
        heads: Callable[[], Heads],
        *,
        carry_on: Callable[[], None],
        give_up: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._time = time
        self._heads = heads
        self._carry_on = carry_on
        self._give_up = give_up
        self.news = News()
        self.plans = Plans()
        self._under_way = self._looked = False
        self._timer: asyncio.TimerHandle | None = None

    def run(self, line: Line, *, waited_for: bool) -> None:
        """Begins what is due, if nothing is under way; `waited_for`: work needs the time."""
        if self._under_way:
            return
        looked, self._looked = self._looked, False
        others = (self._plan, self._say_news)
        errands = (*others, self._look) if looked else (self._look, *others)
        if self._time.age >= CLOCK_AGAIN and (self._time.known or waited_for):
            self.ask_the_time(line)
        elif not any(errand(line) for errand in errands):
            self._wait_for_the_pause()

    def ask_the_time(self, line: Line) -> None:
        """Unless something is under way: then it is asked next."""
        if not self._under_way:
            self._under_way = True
            line.say(line.clock, self._set_the_time)

    def drop(self) -> None:
        """The line is lost, and with it what was under way."""
        self._under_way = False

    def _plan(self, line: Line) -> bool:
        statement = self.plans.next(self._time.monotonic(), line)
        return statement is not None and self._say(line, statement)

    def _say_news(self, line: Line) -> bool:
        return self.news.untold and self.news.go(self._time.monotonic()) and self._say(line, line.hint)

    def _say(self, line: Line, statement: str) -> bool:
        """Nobody waits for the answer; whether the line is lost is said elsewhere."""
        self._under_way = True
        line.say(statement, lambda _: self._done())
        return True

    def _look(self, line: Line) -> bool:
        """Where a queue begins that was asked for; the front, while nobody can say."""
        if not self._time.known:
            return False
        now, heads = self._time.now(), self._heads()
        if (queue := heads.wanted(now)) is None:
            return False

        def seen(told: list[Row] | Exception) -> None:
            heads.look_again(now, queue, [] if isinstance(told, Exception) else told)
            self._done()

        self._under_way = self._looked = True
        line.run("heads", given(look_at(queue, FRONT), now), seen)
        return True

    def _set_the_time(self, told: list[Row] | Exception) -> None:
        if isinstance(told, Exception):
            self._under_way = False
            self._give_up()
            self._wait_for_the_pause()
        else:
            self._time.set(int(told[0][0]))
            self._done()

    def _done(self) -> None:
        self._under_way = False
        self._carry_on()

    def _wait_for_the_pause(self) -> None:
        if self.news.untold and self._timer is None:
            self._timer = self._loop.call_later(TELL_PAUSE, self._pause_is_over)

    def _pause_is_over(self) -> None:
        self._timer = None
        self._carry_on()


class News:
    """Whether others should hear of a commit; they do at most once in `TELL_PAUSE`."""

    def __init__(self) -> None:
        self.untold = False
        self.told_at = float("-inf")

    def go(self, now: float) -> bool:
        """Whether the pause is over: then a hint goes now, of all that was committed."""
        if now - self.told_at < TELL_PAUSE:
            return False
        self.untold, self.told_at = False, now
        return True


class Plans:
    """When the server should plan anew: a plan made for an empty table is no good for a full one."""

    def __init__(self) -> None:
        self._count, self._next, self._until = 0, 1, float("inf")
        #: Statements for when nothing is under way; without them the next use of each makes its plan.
        self._left: list[str] = []

    def used(self) -> None:
        """A statement ran."""
        self._count += 1

    def next(self, now: float, line: Line) -> str | None:
        """The next statement of planning anew, if that is due; what was answered counts as done."""
        if self._count >= self._next or now >= self._until:
            self._next = max(self._next, self._count) * 4
            self._until = now + PLANS_SECONDS
            first, *self._left = line.plans()
            return first
        return self._left.pop() if self._left and not line.under_way else None
