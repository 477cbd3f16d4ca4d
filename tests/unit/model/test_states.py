"""The table of states: complete, closed at the end, and the one source of the database's CHECK."""

from __future__ import annotations

import itertools
import re

import pytest
import sqlalchemy as sa

from duly.model.state import TERMINAL, TRANSITIONS, Status, allowed
from duly.store import schema


def test_every_state_has_its_row() -> None:
    """No state is forgotten, and no transition leads out of the table."""
    assert set(TRANSITIONS) == set(Status)
    assert set().union(*TRANSITIONS.values()) <= set(Status)


def test_every_state_can_be_reached_and_left_for_an_end() -> None:
    """From acceptance every state is reachable, and from every state an end is: nothing is stuck for ever."""
    reached, ending = {Status.SCHEDULED, Status.PENDING}, set(TERMINAL)
    for _ in Status:
        reached |= set().union(*(TRANSITIONS[status] for status in reached))
        ending |= {status for status in Status if TRANSITIONS[status] & ending}
    assert reached == ending == set(Status)


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_end_is_left_by_an_operators_retry_only(status: Status) -> None:
    """The retry leads back to pending; no other way leads out."""
    assert TRANSITIONS[status] == {Status.PENDING}


def test_only_a_claim_starts_a_task() -> None:
    """What runs was pending: no wait, retry or schedule jumps the queue."""
    assert [status for status in Status if allowed(status, Status.RUNNING)] == [Status.PENDING]


def test_only_a_running_task_completes() -> None:
    """A result comes from an attempt."""
    assert [status for status in Status if allowed(status, Status.COMPLETED)] == [Status.RUNNING]


@pytest.mark.parametrize("status", [status for status in Status if status not in TERMINAL])
def test_whatever_lives_can_be_cancelled(status: Status) -> None:
    """There is no state in which a user must wait."""
    assert allowed(status, Status.CANCELLED)


def test_nothing_becomes_what_it_is() -> None:
    """A transition is a change."""
    assert not any(allowed(status, status) for status in Status)


def test_the_question_and_the_table_agree() -> None:
    """`allowed` is the table, for every pair."""
    for before, after in itertools.product(Status, Status):
        assert allowed(before, after) == (after in TRANSITIONS[before])


def test_the_database_knows_the_same_words() -> None:
    """The CHECK of the status column lists exactly the states."""
    checks = {
        check.name: str(check.sqltext)
        for check in schema.task.constraints
        if isinstance(check, sa.CheckConstraint)
    }
    assert re.findall(r"'(\w+)'", checks["task_status_known"]) == [status.value for status in Status]
    assert set(re.findall(r"'(\w+)'", checks["task_end_has_time"])) == {status.value for status in TERMINAL}


def test_a_state_says_whether_it_is_the_end() -> None:
    """`terminal` and TERMINAL are one."""
    assert {status for status in Status if status.terminal} == TERMINAL
