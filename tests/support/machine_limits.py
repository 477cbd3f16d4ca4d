"""What limits add to the state machine: keys whose cap changes while all runs, and what must hold of them.

Which of two tasks of one rank is first the oracle does not know. It hears from the store who was blocked and
who was woken, and holds it against the rules: only a claim blocks, only on a full key, nobody beside room.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import sqlalchemy as sa
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from duly.model.state import Status
from duly.model.task import Claimed
from duly.store import limit_care, limit_desk, limits
from duly.store.limit_desk import Setting
from support.oracle import Fate
from support.stores import Store

#: The first has a limit from the beginning; the other once somebody sets one.
KEYS = ("key/demo//a", "key/demo//b")
KEY = st.sampled_from([None, None, *KEYS])
STANDING = (Status.PENDING, Status.BLOCKED)


class Rationed(RuleBasedStateMachine):
    """The part of the machine that knows of limits."""

    store: Store
    connection: sa.Connection
    fates: dict[str, Fate]

    def begin_limits(self) -> None:
        """One key of which one task may run."""
        self.caps: dict[str, int | None] = dict.fromkeys(KEYS)
        #: What may run of a key: more than its cap as long as more ran when that was lowered.
        self.most: dict[str, int] = {}
        #: Keys of which somebody has left the line without a start: only the sweep tells those behind him.
        self.excused: set[str] = set()
        self.set_cap(KEYS[0], 1)

    def of(self, key: str, *statuses: Status) -> list[Fate]:
        """The tasks of a key that stand so."""
        return [fate for fate in self.fates.values() if fate.limit_key == key and fate.status in statuses]

    def absorb(self, *, claimed: bool = False) -> list[Fate]:
        """Hears who was woken and, after a claim, who was blocked; answers those."""
        rows = dict(tuple(row) for row in self.connection.exec_driver_sql("SELECT id, status FROM task"))
        blocked = []
        for fate in self.fates.values():
            stands = rows[fate.id]
            if fate.status not in STANDING or stands not in STANDING or stands == fate.status:
                continue
            assert fate.limit_key is not None
            if stands == Status.BLOCKED:
                assert claimed, f"{fate.id} was blocked by no claim"
                blocked.append(fate)
            fate.status = Status(stands)
        return blocked

    def check_claim(self, mine: dict[str, int], taken: Sequence[Claimed], free: int) -> None:
        """Of those that it may take a claim takes the first that find room, and blocks the others."""
        blocked = {fate.id: fate for fate in self.absorb(claimed=True)}
        ranks = [mine.get(one.id, -1) for one in taken]
        assert ranks == sorted(ranks)
        assert blocked.keys() <= mine.keys() >= {one.id for one in taken}
        left = [rank for id_, rank in mine.items() if id_ not in blocked]
        assert ranks == sorted(left)[:free]
        self.check_full(blocked.values())

    def check_full(self, blocked: Any) -> None:
        """Who is blocked by a claim found no room."""
        for fate in blocked:
            cap = self.caps[fate.limit_key]
            assert cap is not None
            assert len(self.of(fate.limit_key, Status.RUNNING)) >= cap

    def leaves(self, fate: Fate) -> None:
        """It is about to leave the line without a start."""
        if fate.limit_key is not None and fate.status is Status.PENDING:
            self.excused.add(fate.limit_key)

    @rule(key=st.sampled_from(KEYS), cap=st.sampled_from([0, 1, 1, 2, 3, None]))
    def set_cap(self, key: str, cap: int | None) -> None:
        """An operator's word, or its end."""
        if cap is None:
            self.store.write(limit_desk.clear, key)
            self.most.pop(key, None)
        else:
            self.store.write(limit_desk.put, Setting(name=key, concurrency=cap))
            self.most[key] = max(cap, len(self.of(key, Status.RUNNING)))
        self.caps[key] = cap
        self.excused.discard(key)

    @rule()
    def sweep_limits(self) -> None:
        """Wakes who waits beside room, and finds no count that is wrong."""
        found = self.store.read(limit_care.look)
        assert found.wrong == []
        if found.roomy:
            self.store.write(limits.wake, found.roomy)
        self.excused.clear()

    @invariant()
    def no_more_run_than_a_limit_allows(self) -> None:
        for key, most in self.most.items():
            running = len(self.of(key, Status.RUNNING))
            assert running <= most
            self.most[key] = max(self.caps[key] or 0, running)

    @invariant()
    def nobody_is_blocked_beside_room(self) -> None:
        """Unless enough others stand in line for it."""
        self.absorb()
        for key, cap in self.caps.items():
            if self.of(key, Status.BLOCKED) and key not in self.excused:
                assert cap is not None
                room = cap - len(self.of(key, Status.RUNNING))
                assert room <= len(self.of(key, Status.PENDING))
