"""The ledger: what was paid stands there once, in the transaction of its step, whatever becomes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.dialects import sqlite

from duly.model.chat import ChatAnswer, Paid, Usage
from duly.model.task import Claimed
from duly.store import journal, ledger, retention
from duly.store.ledger import DAY_MS, Search, Whose
from support.stores import Store, step

CNY = {"amount": 0.001234567, "currency": "CNY", "as_of": "2026-11-01"}
ALL = Search(by=())


def answer(**overrides: Any) -> ChatAnswer:
    """What a model said, and what that cost."""
    values = {"usage": Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=10), "cost": CNY}
    values |= {"text": "a", "finish_reason": "stop", "provider": "main", "model": "m-1", **overrides}
    return ChatAnswer(**values)


def paid(claimed: Claimed, n: int = 1, **overrides: Any) -> ledger.Entry:
    """Its line for the ledger."""
    words = Paid(step="facts", n=n, prompt="tender.section@1#0123", answer=answer(**overrides))
    found = ledger.entry(claimed, words)
    assert found is not None
    return found


def record(claimed: Claimed, n: int = 1, **overrides: Any) -> journal.StepRecord:
    """A model's answer that is to be remembered."""
    return replace(step(claimed, n=n), paid=paid(claimed, n, **overrides))


def lines(store: Store, search: Search = ALL) -> list[dict[str, Any]]:
    """The report."""
    return list(store.read(ledger.report, search))


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two batches"])
def test_an_answer_is_entered_once(store: Store, together: bool) -> None:
    """However often its record is sent, with all that is known of it."""
    claimed = store.running(owner="ann", tenant="acme")
    items = [record(claimed), record(claimed)]
    for group in [items] if together else [[one] for one in items]:
        assert store.write(journal.record_steps, *group) == [True] * len(group)
    (line,) = lines(store, Search(by=ledger.WORDS))
    day = datetime.fromtimestamp(store.clock.now_ms() / 1000, UTC).date().isoformat()
    assert line == {
        "day": day,
        "tenant": "acme",
        "owner": "ann",
        "task_type": "demo",
        "provider": "main",
        "model": "m-1",
        "prompt": "tender.section@1#0123",
        "currency": "CNY",
        "calls": 1,
        "discarded": 0,
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "cached_tokens": 10,
        "uncounted": 0,
        "unpriced": 0,
        "cost": 0.001234567,
    }


def test_step_and_entry_are_there_together_or_not_at_all(store: Store) -> None:
    """One transaction: what fails behind the entry takes it away again."""
    claimed = store.running()

    def broken(tx: Any, items: Any) -> Any:
        journal.record_steps(tx, items)
        raise ValueError("it broke")

    with pytest.raises(ValueError, match="it broke"):
        store.write(broken, record(claimed))
    assert lines(store) == []
    assert store.rows("SELECT count(*) FROM ledger") == store.rows("SELECT count(*) FROM step") == [(0,)]


def test_a_late_answer_is_entered_as_discarded(store: Store) -> None:
    """The attempt has lost its task: no step, but the money is spent; the next one's answer counts too."""
    stale = store.running(session="old")
    store.rescue("old")
    [current] = store.claim("new")
    assert store.write(journal.record_steps, record(stale), record(current)) == [False, True]
    (line,) = lines(store)
    assert (line["calls"], line["discarded"]) == (2, 1)
    assert store.rows("SELECT count(*) FROM step") == [(1,)]


def test_an_answer_of_no_use_is_entered_without_a_step(store: Store) -> None:
    """Once, and as discarded."""
    claimed = store.running()
    for _ in range(2):
        store.write(ledger.enter, paid(claimed))
    (line,) = lines(store)
    assert (line["calls"], line["discarded"]) == (1, 1)


def test_what_no_model_answered_is_not_entered(store: Store) -> None:
    """Rules cost nothing."""
    claimed = store.running()
    words = Paid(step="facts", n=1, prompt="p", answer=answer(finish_reason="offline"))
    assert ledger.entry(claimed, words) is None


def test_what_is_not_known_is_null(store: Store) -> None:
    """Never 0: neither tokens nor money, and it is counted how often."""
    claimed = store.running()
    store.write(journal.record_steps, record(claimed, usage=None, cost=None))
    (line,) = lines(store)
    assert (line["prompt_tokens"], line["cost"], line["currency"]) == (None, None, None)
    assert (line["uncounted"], line["unpriced"]) == (1, 1)


def test_currencies_are_kept_apart(store: Store) -> None:
    """A row for each, and one for what has no price; sums are exact."""
    claimed = store.running(owner="ann")
    costs = [CNY] * 3 + [{"amount": 0.5, "currency": "USD", "as_of": "2026-01-01"}, None]
    for n, cost in enumerate(costs, 1):
        store.write(journal.record_steps, record(claimed, n, cost=cost))
    found = {line["currency"]: (line["calls"], line["cost"]) for line in lines(store, Search(by=("owner",)))}
    assert found == {None: (1, None), "CNY": (3, 0.003703701), "USD": (1, 0.5)}


def test_a_report_looks_at_what_is_asked_for(store: Store) -> None:
    """By owner, tenant, model and day."""
    ann, bob = store.running(owner="ann", tenant="acme"), store.running(owner="bob")
    store.write(journal.record_steps, record(ann))
    store.clock.advance(DAY_MS / 1000)
    store.write(journal.record_steps, record(bob, model="m-2"), record(ann, 2))
    today = store.clock.now_ms() // DAY_MS
    of = {
        "owner": Search(owner="ann"),
        "tenant": Search(tenant="acme"),
        "model": Search(model="m-2"),
        "since": Search(since=today),
        "until": Search(until=today - 1),
    }
    counts = {name: sum(line["calls"] for line in lines(store, one)) for name, one in of.items()}
    assert counts == {"owner": 2, "tenant": 2, "model": 1, "since": 2, "until": 1}


def test_a_budget_sees_its_own_only(store: Store) -> None:
    """Of a task, an owner, a tenant; in this day, this month or ever."""
    store.clock.advance((datetime(2031, 5, 31, 12, tzinfo=UTC).timestamp()) - store.clock.now_ms() / 1000)
    ann, bob = store.running(owner="ann", tenant="acme"), store.running(owner="bob", tenant="acme")
    store.write(journal.record_steps, record(ann), record(bob))
    store.clock.advance(DAY_MS / 1000)  # 1 June
    store.write(journal.record_steps, record(ann, 2))
    whose = {
        "task": Whose(task_id=ann.id),
        "owner, day": Whose(tenant="acme", owner="ann", per="day"),
        "owner": Whose(tenant="acme", owner="ann"),
        "tenant, month": Whose(tenant="acme", per="month"),
        "tenant": Whose(tenant="acme"),
        "nobody": Whose(owner="ann"),
    }
    found = {name: store.read(ledger.spent, one) for name, one in whose.items()}
    tokens = {name: one.tokens // 120 for name, one in found.items()}
    assert tokens == {
        "task": 2,
        "owner, day": 1,
        "owner": 2,
        "tenant, month": 1,
        "tenant": 3,
        "nobody": 0,
    }
    assert found["tenant"].nanos == {"CNY": 3 * 1_234_567}


def test_it_outlives_its_task(store: Store) -> None:
    """Retention takes the task; the ledger keeps its own time."""
    claimed = store.running()
    store.write(journal.record_steps, record(claimed))
    store.finish(claimed)
    store.clock.advance(31 * DAY_MS / 1000)
    seen = store.read(retention.expired, None, limit=10)
    assert store.write(retention.prune, *seen) == [True]
    assert store.write(ledger.forget, None) == [0]
    assert lines(store)[0]["calls"] == 1
    store.clock.advance(371 * DAY_MS / 1000)
    assert store.write(ledger.forget, None) == [1]
    assert store.rows("SELECT count(*) FROM ledger") == [(0,)]


@pytest.mark.only("wal")
@pytest.mark.parametrize(
    ("whose", "index"),
    [
        (Whose(task_id="t"), "sqlite_autoindex_ledger_1"),
        (Whose(tenant="t", owner="o", per="month"), "ledger_owner"),
        (Whose(tenant="t", per="day"), "ledger_tenant"),
    ],
    ids=["task", "owner", "tenant"],
)
def test_a_budget_is_found_by_an_index(store: Store, whose: Whose, index: str) -> None:
    """It is asked before each call."""
    query = ledger.spent_query(store.clock.now_ms(), whose)
    text = str(query.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
    plan = [row[3] for row in store.rows(f"EXPLAIN QUERY PLAN {text}")]
    assert plan[0].startswith(f"SEARCH ledger USING INDEX {index}")
