"""What becomes of a task whose worker died: another run, suspicion, or, after too many such ends, none."""

from __future__ import annotations

from duly.model.events import EventType
from duly.model.policy import DEATHS_OF_A_SUSPECT, MOST_LOSSES, share_after_death
from duly.model.state import Status
from duly.store.transitions import Change, Facts


def lost(one: Facts, held: int) -> Change:
    """What becomes of a task whose process died holding `held` tasks; 0: none of them can be the cause."""
    if one.cancel_requested_at is not None:
        return Change(facts=one, target=Status.CANCELLED, event=EventType.CANCELLED, outcome="lost")
    death = int(held > 0)
    loss = int(held == 1 and one.suspect > 0)
    losses = one.loss_count + loss
    if loss and losses >= MOST_LOSSES:
        return _given_up(one, losses)
    suspected = one.suspect > 0 or one.deaths + death >= DEATHS_OF_A_SUSPECT
    told = {"held": held, "losses": losses} if held else {}
    return Change(
        facts=one,
        target=Status.PENDING,
        event=EventType.LOST,
        data={"attempt": one.attempt, "worker": one.worker_id, **told},
        outcome="lost",
        loss=loss,
        death=death,
        suspect=share_after_death(held) if death and suspected else None,
    )


def _given_up(one: Facts, losses: int) -> Change:
    error = f"Its worker died {losses} times while it ran this task alone."
    return Change(
        facts=one,
        target=Status.FAILED,
        event=EventType.FAILED,
        data={"attempt": one.attempt, "error_code": "worker_lost", "error": error},
        outcome="lost",
        loss=1,
        error_code="worker_lost",
        error=error,
    )
