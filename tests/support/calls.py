"""Every SQL file called on the busy database of `crowd`, with a batch of 20: for plans and counted work."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from duly.model.state import Status
from duly.model.task import Submission, Target
from duly.store import heads, retention, submissions
from duly.store.database import Database
from duly.store.transaction import Moment, Terms, Transaction
from support import crowd
from support.stores import submission

BATCH = 20


def ids(status: str, count: int = BATCH) -> list[str]:
    return [f"{status}-{number:06d}" for number in range(0, count * 100, 100)]


def rows(standing: str, **more: Any) -> list[dict[str, Any]]:
    return [{"id": id_, "attempt": 1, "seq": 3, "source": standing, **more} for id_ in ids(standing)]


def accepted() -> list[Submission]:
    """New tasks with tags, half of them with keys."""
    words = {"queue": "queue1", "tags": ("a", "b"), "deliver": (Target(channel="inbox"),)}
    keyed = {"idempotency_key": "pending5", "tenant": "tenant1", "owner": "owner5", "unique": "u"}
    return [submission(**words, **(keyed if number % 2 else {})) for number in range(BATCH)]


def paid() -> list[dict[str, Any]]:
    """Answers of models."""
    words = {"step": "s", "n": 1, "attempt": 1, "tenant": "t", "owner": "o", "task_type": "a", "prompt": "p"}
    more = {"provider": "p", "model": "m", "tries": 1, "duration_ms": 1, "kept": 1, "day": 1}
    return [{"task_id": id_, **words, **more} for id_ in ids("running")]


def _places(places: tuple[int, ...]) -> dict[str, Any]:
    given = heads.given("queue1", places)
    return {**given, "places": json.dumps(given["places"])}


ACCEPTED = accepted()
#: A queue from the front, and from its ranks' places on: behind a half of what is pending.
FRONT = _places(heads.FRONT)
PLACES = _places((100_000,) * 10)
KNOWN = {"places": json.dumps({"queue1": [100_000] * 10})}
MORE = {
    **KNOWN,
    "ids": json.dumps([one.id for one in ACCEPTED]),
    "keyed": json.dumps([submissions._keys(one) for one in ACCEPTED[1::2]]),
    "adorned": json.dumps([submissions._adorned(one) for one in ACCEPTED]),
}
MOVED = {
    "retention": 1,
    "ids": json.dumps(ids("running")),
    "ended": json.dumps(ids("running")),
    "places": "{}",
    "limited": 1,
}
ZEROS = dict.fromkeys(("exhausted", "reset", "loss_count", "deaths", "suspect"), 0)
TO_RETRY = rows("running", status=Status.RETRY, outcome="retry", due_at=crowd.NOW + 1, retry_count=1, **ZEROS)
TO_END = [{**row, "status": "completed", "due_at": None, "completed_at": crowd.NOW} for row in TO_RETRY]
TO_PENDING = [{**row, "status": "pending", "due_at": None} for row in TO_RETRY]
DELIVERIES = [f"d-{id_}" for id_ in ids("completed", 4)]
SENDING = "d-completed-019999"

KEYS = [f"key/type1//{number}" for number in range(BATCH)]

#: File → (batch, parameters). Several calls of one file stand under `file#what`.
CALLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "bereft": (rows("running"), {}),
    "blob": (None, {}),
    "block": (rows("pending", limit="key/type1//1"), {}),
    "blocked": (None, {"on": "key/type1//10", "most": BATCH}),
    "blocked_first": (KEYS, {}),
    "body": (None, {"id": "pending-000001", "kind": "input"}),
    "buckets_make": ([{"name": f"user/0//{n}", "tokens": 10} for n in range(BATCH)], {}),
    "cancel_request": (rows("running"), {}),
    "gates_make": ([f"provider{n}" for n in range(BATCH)], {}),
    "candidates": (["type1", "type2"], {"free": 64, **FRONT}),
    "candidates#from their places": (["type1", "type2"], {"free": 64, **PLACES}),
    "candidates#of an unknown type": (["strange"], {"free": 64, **FRONT}),
    "claim": (ids("pending"), {"session": "w1", "holds": "{}"}),
    "complete": (rows("running"), MOVED),
    "data": (None, {}),
    "deliveries_adrift": (None, {}),
    "deliveries_orphaned": (None, {}),
    "delivery_body": (None, {"id": SENDING, "attempt": 0, "body": "{}"}),
    "delivery_claim": (DELIVERIES, {"session": "w1"}),
    "delivery_due": (None, {"limit": 20}),
    "delivery_last": (rows("completed"), {}),
    "delivery_recall": (rows("completed"), {}),
    "delivery_reopen": (None, {"successors": json.dumps([{"id": "n", "of": SENDING}])}),
    "endpoint_heads": (["e-1", "e-2"], {}),
    "owe": ([{"id": "n1", "task": "completed-000001", "endpoint": "e-1"}], {}),
    "owed_to": (ids("completed"), {}),
    "delivery_settle": ([{"id": SENDING, "attempt": 0, "status": "delivered"}], {}),
    "due": (None, {"limit": 100}),
    "events": (rows("running", type="log", data="{}"), {}),
    "expired": (None, {"at": crowd.NOW + 4_000, "id": "completed-004000", "until": 2**62, "limit": BATCH}),
    "facts": (ids("running"), {}),
    "fence": (rows("running"), {}),
    "heads": (None, FRONT),
    "heads#from their places": (None, PLACES),
    "held_by": (None, {"session": "w1"}),
    "hold": (rows("running", holds="[]"), {}),
    "inboxes": ([{"tenant": "", "owner": f"owner{number}"} for number in range(BATCH)], {}),
    "key_find": (None, {"id": "co4iusy4qh53y2ff"}),
    "limits_known": (None, {}),
    "limits_lock": (KEYS, {}),
    "limits_make": ([{"name": f"key/new//{n}", "template": "each/new"} for n in range(BATCH)], {}),
    "limits_there": (KEYS, {}),
    "limits_try": (KEYS, {}),
    "limits_write": ([{"name": name, "taken": 1, "tokens": 0, "refilled_at": 0} for name in KEYS], {}),
    "notify": (
        None,
        {
            "delivery": SENDING,
            "attempt": 0,
            "task": "completed-019999",
            "tenant": "",
            "owner": "",
            "type": "t",
        }
        | {"body": "{}"},
    ),
    "login_find": (None, {"id": "none", "at": 1}),
    "named": (ids("pending"), {"types": json.dumps(["type1", "type2"])}),
    "orphans": (None, {}),
    "paused": (None, {"queue": "queue1"}),
    "partials": (rows("running", part=1, text="x"), {}),
    "queue_known": (["queue1", "new"], {}),
    "recalled": (None, {"id": "running-000001", "apart": 1}),
    "refer": ([{"id": id_, "sha256": id_.rjust(64, "0")} for id_ in ids("pending")], {}),
    "rounds": (rows("running"), {}),
    "quotas": (None, {}),
    "renew": (None, {"session": "w1", "lease": 30_000}),
    "sender": (None, {}),
    "sending_by": (None, {"session": "w1"}),
    "session_alive": (None, {"session": "w1"}),
    "session_end": (["w1", "w2"], {}),
    "session_held": (["w30", "w31"], {}),
    "session_leave": (["w1"], {}),
    "session_start": (
        ["queue1"],
        {"session": "n", "host": "h", "pid": 1, "queues": "", "lease": 30_000, "types": "demo,demo@"},
    ),
    "session_unrenewed": ([{"id": "w1", "until": None}, {"id": "w2", "until": crowd.NOW}], {}),
    "sessions_expired": (None, {}),
    "share_set": ([{"tenant": "", "owner": "owner1", "weight": 2}], {}),
    "upload": ([{"sha256": id_.rjust(64, "0")} for id_ in ids("pending")], {}),
    "startable": (["type1", "type2"], FRONT),
    "spend": (paid(), {}),
    "startable#from their places": (["type1", "type2"], PLACES),
    "startable#of an unknown type": (["strange"], FRONT),
    "startable_suspects": (["type1", "type2"], {"queue": "queue1"}),
    "steps": (rows("running", name="more", n=1, digest="d", duration_ms=1), {}),
    "submit": (
        submissions._batch(Moment(now=crowd.NOW, terms=Terms(), heads=heads.Heads()), ACCEPTED),
        {"key_ttl": 86_400_000, "checked": 1, **MORE},
    ),
    "submit_plain": (
        submissions._batch(Moment(now=crowd.NOW, terms=Terms(), heads=heads.Heads()), ACCEPTED),
        MORE,
    ),
    "submitted": ([submissions._keys(one) | submissions._adorned(one) for one in ACCEPTED], {}),
    "suspects": (["type1", "type2"], {"queue": "queue1", "free": 64}),
    "take": (["type1", "type2"], {"session": "w1", "free": BATCH, **FRONT}),
    "take#from their places": (["type1", "type2"], {"session": "w1", "free": BATCH, **PLACES}),
    "take#of an unknown type": (["strange"], {"session": "w1", "free": BATCH, **FRONT}),
    "texts": (rows("pending", kind="more", text="{}"), {}),
    "touch": (rows("running", progress=0.5), {}),
    "unblock": (ids("blocked"), KNOWN),
    "waiting": (None, {"most": 64, **FRONT}),
    "waiting#from their places": (None, {"most": 64, **PLACES}),
    "waited": (None, {"queue": "queue1", "rank": 5, "place": 0, "before": crowd.NOW, "limit": 100}),
    "transition": (TO_RETRY, MOVED),
    "transition#to an end": (TO_END, MOVED),
    "transition#back to pending": (TO_PENDING, MOVED),
    "transition#back to a known queue": (TO_PENDING, MOVED | KNOWN),
}


def values(name: str) -> dict[str, Any]:
    """The parameters of a call, as `Transaction.run` gives them."""
    batch, parameters = CALLS[name]
    more = {} if batch is None else {"batch": json.dumps(batch)}
    if name == "texts":  # runs for each row on SQLite
        more |= batch[0]
    return {"now": crowd.NOW, **parameters, **more}


def on(dialect: str) -> list[str]:
    """The calls that a database has: SQLite keeps nothing of what was deleted, so it needs no `heads`, and
    has one writer, so it needs no `inboxes`; only PostgreSQL has quick forms."""
    quick = {"take", "submit_plain"}
    lacks = {"sqlite": {"heads", "inboxes", *quick}, "mariadb": quick}.get(dialect, set())
    return [name for name in CALLS if file(name) not in lacks]


def file(name: str) -> str:
    """The file that a call runs."""
    return name.partition("#")[0]


def pruning(url: str) -> list[tuple[str, Any]]:
    """The statements of `prune`, which is plain Core, with their parameters: a batch of ended tasks goes."""
    items = [retention.Expired(f"completed-{number:06d}", crowd.NOW + number) for number in range(1000, 1020)]

    def work(tx: Transaction) -> None:
        assert all(retention.prune(tx, items))

    return spoken(url, work, now=crowd.NOW + 31 * 86_400_000)


def spoken(url: str, work: Callable[[Transaction], object], now: int = crowd.NOW) -> list[tuple[str, Any]]:
    """What Core says to the database for this work, which is taken back: statements with their parameters."""
    database, said = Database(url), list[tuple[str, Any]]()
    engine = database.engine()
    sa.event.listen(engine, "before_cursor_execute", lambda *told: said.append((told[2], told[3])))
    with engine.connect() as core:
        raw: Any = core.connection.dbapi_connection
        database.driver.begin(raw)
        work(Transaction(raw.cursor(), now, terms=Terms(), dialect=database.driver.dialect, core=core))
        raw.cursor().execute("ROLLBACK")
    return [(text, given[0] if isinstance(given, list) else given) for text, given in said]
