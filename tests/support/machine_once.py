"""What adds to the state machine that something must be once: steps that ran, keys, the bytes of deliveries.

What the store cannot know is kept beside it: a ledger of what handlers ran, and what a receiver got.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import hypothesis.strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from duly.execute.steps import StepBook
from duly.model.state import RETRYABLE, TERMINAL
from duly.model.task import Claimed, Target
from duly.store import deliveries, journal, recall, submissions
from duly.store.deliveries import Delivery, Sent
from duly.store.journal import value_kind
from support.machine import MANY, WaitingWork
from support.oracle import Fate, Letter
from support.stores import opened_store, submission

#: The steps of every handler, one of them twice.
STEPS = ("pay", "tell", "pay")
#: How far a handler goes at a time, from one point at which its worker may die to the next.
TIMES = st.integers(1, 2 * len(STEPS))
#: How a send ends; with None its sender dies before it says so.
ENDS = st.sampled_from(["delivered", "pending", "pending", "dead", None])
#: Seconds: a key is kept for a day, and no longer.
LATER = st.sampled_from([0, 0, 0, 0, 0, 0, 86_400, 86_401])


class OnceWork(WaitingWork):
    """And handlers with steps, submissions with keys, senders and a receiver; the store may start anew."""

    @initialize()
    def begin(self) -> None:
        super().begin()
        self.handlers: dict[tuple[str, int], Iterator[None]] = {}
        self.letters: dict[str, Letter] = {}
        self.sends: list[Delivery] = []
        self.received: set[tuple[str, str]] = set()
        self.rendered = 0

    @precondition(WaitingWork.running)
    @rule()
    def restart(self) -> None:
        """The store's process ends, and the next one opens what it left."""
        self.connection.close()
        self.store.database.close()
        self.store = opened_store(self.store.database.url, self.store.clock)
        self.connection = self.store.database.engine(read_only=True).connect()

    @precondition(lambda self: self.claimed)
    @rule(number=MANY, times=TIMES)
    def go_on(self, number: int, times: int) -> None:
        """A handler goes on, perhaps one whose task others have by now."""
        self.handle(self.pick(self.claimed, number), times)

    def handle(self, one: Claimed, times: int) -> None:
        handler = self.handlers.setdefault((one.id, one.attempt), self.handler(one))
        for _ in range(times):
            next(handler, None)

    def handler(self, one: Claimed) -> Iterator[None]:
        """One attempt, which runs what the store did not give it as recorded when it began."""
        book = StepBook(self.store.read(recall.steps, one.id))
        for name in STEPS:
            place = book.take(name, None, [])
            if place.recorded is not None:
                assert place.recorded.value == self.ledger.values[one.id, name, place.n]
                continue
            value = self.ledger.run(one.id, name, place.n, late=not self.owns(one))
            yield
            taken = place.step(one.attempt, value=value)
            code, mine = self.code(one), self.owns(one)
            record = journal.StepRecord(id=one.id, attempt=one.attempt, step=taken, version=code)
            assert self.store.write(journal.record_steps, record) == [mine]
            if mine:
                self.fates[one.id].step(f"{name} {place.n}", code)
                self.ledger.keep(one.id, taken)
            yield

    @rule(
        owner=st.sampled_from("ab"),
        key=st.sampled_from("kkl"),
        bodies=st.lists(st.sampled_from("xy"), min_size=1, max_size=3),
        over=st.booleans(),
        later=LATER,
    )
    def submit_with_key(self, owner: str, key: str, bodies: list[str], over: bool, later: int) -> None:
        """Clients of one owner say one key, together and after each other; `over`: its task was cancelled."""
        if over and (owner, key) in self.keys.standing:
            self.cancel_of(self.keys.standing[owner, key][0])
        self.store.clock.advance(later)
        more = {"idempotency_key": key, "deliver": (Target(channel="inbox"),)}
        items = [submission(owner=owner, body_hash=body, **more) for body in bodies]
        stood = self.keys.ask(owner, key, self.now)
        answers = self.store.write(submissions.submit, *items)
        new = [item for item, one in zip(items, answers, strict=True) if one.created]
        assert len(new) == (not stood)
        for item in new:
            self.admit(item)
            self.keys.standing[owner, key] = (item.id, self.now, item.conditions.body_hash)
        id_, _, body = self.keys.standing[owner, key]
        assert [(one.id, one.same_body) for one in answers] == [(id_, body == other) for other in bodies]

    @precondition(lambda self: self.living)
    @rule(number=MANY, end=ENDS)
    def send(self, number: int, end: str | None) -> None:
        """A sender takes what is due."""
        session = self.pick(self.living, number)
        self.hear_letters()
        [taken] = self.store.write(deliveries.claim_deliveries, (session, 5))
        for one in taken:
            letter = self.letters[one.id]
            letter.claim(session)
            assert (one.task_id, one.attempt, one.body) == (letter.task_id, letter.attempt, letter.body)
            self.send_of(one, end)
        self.sends += taken

    @precondition(lambda self: self.sends)
    @rule(number=MANY, end=ENDS)
    def send_late(self, number: int, end: str | None) -> None:
        """A sender goes on that stood still, perhaps until others had sent what it holds."""
        self.send_of(self.pick(self.sends, number), end)

    def send_of(self, one: Delivery, end: str | None) -> None:
        """As the outbox does it: one that has told nothing yet does not tell of an end that is no more."""
        letter = self.letters[one.id]
        if one.body is None and self.fates[one.task_id].status not in TERMINAL:
            end = "dead"
        else:
            self.rendered += 1
            [body] = self.store.write(deliveries.fix_body, (one, str(self.rendered)))
            assert body == letter.fix(one.attempt, str(self.rendered))
            if body is None:
                return
            self.received.add((one.id, body))
        if end is not None:
            delay = 0 if end == "pending" else None
            self.store.write(
                deliveries.settle, Sent(id=one.id, attempt=one.attempt, status=end, delay_ms=delay)
            )
            letter.settle(one.attempt, end)

    def lose_letters(self, ended: list[str]) -> None:
        """Those that these sessions were sending; their tasks stand as they stood before."""
        for letter in self.letters.values():
            if letter.session in ended:
                letter.lose(ended=self.fates[letter.task_id].status in TERMINAL)

    def retry_of(self, fate: Fate) -> None:
        """What told nothing yet waits for the new end; if there is no such one, another delivery does."""
        self.hear_letters()
        again = fate.status in RETRYABLE and not self.holders(self.uniques[fate.id])
        super().retry_of(fate)
        if not again:
            return
        unsent = [one for one in self.letters.values() if one.task_id == fate.id and one.unsent]
        fate.owed += not unsent
        for letter in unsent:
            letter.status = "held"

    def hear_letters(self) -> dict[str, tuple[str, str, int, str | None]]:
        """The store says the ids of new ones; what is held is due once its task has ended."""
        query = "SELECT id, task_id, status, attempt, body FROM delivery"
        rows = {id_: tuple(row) for id_, *row in self.connection.exec_driver_sql(query)}
        for id_ in rows.keys() - self.letters.keys():
            self.letters[id_] = Letter(rows[id_][0])
        for letter in self.letters.values():
            if letter.status == "held" and self.fates[letter.task_id].status in TERMINAL:
                letter.status = "pending"
        return rows

    def deliver_all(self, session: str) -> None:
        """Once faults stop whoever waits for an answer gets it (I9)."""
        while True:
            self.store.advance(4_000)
            [taken] = self.store.write(deliveries.claim_deliveries, (session, 50))
            if not taken:
                break
            bodies = self.store.write(deliveries.fix_body, *((one, "last") for one in taken))
            self.received |= {(one.id, body) for one, body in zip(taken, bodies, strict=True)}
            sent = [Sent(id=one.id, attempt=one.attempt, status="delivered") for one in taken]
            self.store.write(deliveries.settle, *sent)
        found = self.connection.exec_driver_sql("SELECT id, status, body FROM delivery").all()
        assert {status for _, status, _ in found} <= {"delivered", "dead"}
        assert self.received <= {(id_, body) for id_, _, body in found}

    @invariant()
    def no_recorded_step_ran_again(self) -> None:
        """I5; and what is recorded is what the ledger has."""
        assert self.ledger.again == []
        query = "SELECT task_id, kind, text FROM task_data WHERE kind >= 'step/' AND kind < 'step0'"
        found = {(id_, kind): text for id_, kind, text in self.connection.exec_driver_sql(query)}
        assert found == {(id_, value_kind(*step)): text for (id_, *step), text in self.ledger.values.items()}

    @invariant()
    def a_key_of_an_owner_is_one_task(self) -> None:
        """I7: as long as it is kept, whatever becomes of the task."""
        query = "SELECT owner, idempotency_key, id FROM task WHERE idempotency_key IS NOT NULL"
        found = [(tuple(key), id_) for *key, id_ in self.connection.exec_driver_sql(query)]
        assert sorted(found) == sorted((key, known[0]) for key, known in self.keys.standing.items())

    @invariant()
    def a_delivery_keeps_its_id_and_its_bytes(self) -> None:
        """I9: through all sends; and there is one for each end that was told of or can be."""
        rows = self.hear_letters()
        letters = self.letters.items()
        assert rows == {id_: (one.task_id, one.status, one.attempt, one.body) for id_, one in letters}
        assert self.received <= {(id_, one.body) for id_, one in letters}
        assert Counter(one.task_id for _, one in letters) == {
            fate.id: fate.owed for fate in self.fates.values()
        }
