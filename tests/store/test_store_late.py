"""What comes late: the word of a send that others have taken over, and a clock that was set back."""

from __future__ import annotations

import pytest

from duly.model.state import Status
from duly.model.task import Target
from duly.store import deliveries, journal, lists
from duly.store.deliveries import Sent
from support.stores import Store, lines, step

INBOX = Target(channel="inbox")


@pytest.mark.parametrize("status", ["delivered", "dead", "pending"])
def test_a_late_word_does_not_settle_anothers_send(store: Store, status: str) -> None:
    """Its session was ended and another one sends now: how that ends is for the other to say."""
    id_ = store.ended(Status.COMPLETED, INBOX)
    [[late]] = store.write(deliveries.claim_deliveries, ("w1", 1))
    store.rescue("w1")
    [[current]] = store.write(deliveries.claim_deliveries, (store.session("w2"), 1))
    store.write(deliveries.settle, Sent(id=late.id, attempt=late.attempt, status=status, delay_ms=0))
    assert store.deliveries(id_) == ["sending"]
    store.write(deliveries.settle, Sent(id=current.id, attempt=current.attempt, status="delivered"))
    assert store.deliveries(id_) == ["delivered"]


def test_a_timeline_does_not_run_backwards(store: Store) -> None:
    """A server's clock may be set back: each line is as late as the one before it."""
    claimed = store.running()
    begun = store.clock.now_ms()
    store.clock.advance(-60)
    store.write(journal.append, lines(claimed, "a"))
    store.write(journal.record_steps, step(claimed))
    store.cancel(claimed.id)
    store.finish(claimed, Status.CANCELLED)
    times = [event.at for event in store.read(lists.events, claimed.id)]
    assert times == [begun] * 6
