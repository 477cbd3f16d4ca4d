"""Every SQL file called on the busy database of `crowd`, with a batch of 20: for plans and counted work."""

from __future__ import annotations

import json
from typing import Any

from duly.model.state import Status
from duly.model.task import Submission, Target
from duly.store import heads, submissions
from duly.store.transaction import Terms, Transaction
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
MOVED = {"ids": json.dumps(ids("running")), "ended": json.dumps(ids("running")), "places": "{}"}
ZEROS = dict.fromkeys(("exhausted", "reset", "loss_count", "deaths", "suspect"), 0)
TO_RETRY = rows("running", status=Status.RETRY, outcome="retry", due_at=crowd.NOW + 1, retry_count=1, **ZEROS)
TO_END = [{**row, "status": "completed", "due_at": None, "completed_at": crowd.NOW} for row in TO_RETRY]
TO_PENDING = [{**row, "status": "pending", "due_at": None} for row in TO_RETRY]
DELIVERIES = [f"d-{id_}" for id_ in ids("completed", 4)]
SENDING = "d-completed-019999"

#: File → (batch, parameters). Several calls of one file stand under `file#what`.
CALLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "blob": (None, {}),
    "body": (None, {"id": "pending-000001", "kind": "input"}),
    "cancel_request": (rows("running"), {}),
    "candidates": (["type1", "type2"], {"free": 64, **FRONT}),
    "candidates#from their places": (["type1", "type2"], {"free": 64, **PLACES}),
    "candidates#of an unknown type": (["strange"], {"free": 64, **FRONT}),
    "claim": (ids("pending"), {"session": "w1"}),
    "complete": (rows("running"), {**MOVED, "expires": crowd.NOW + 1}),
    "data": (None, {}),
    "deliveries_adrift": (None, {}),
    "deliveries_orphaned": (None, {}),
    "delivery_body": (None, {"id": SENDING, "attempt": 0, "body": "{}"}),
    "delivery_claim": (DELIVERIES, {"session": "w1"}),
    "delivery_due": (None, {"limit": 20}),
    "delivery_last": (rows("completed"), {}),
    "delivery_reopen": (rows("completed"), {"successors": json.dumps([{"id": "n", "of": SENDING}])}),
    "delivery_settle": ([{"id": SENDING, "attempt": 0, "status": "delivered"}], {}),
    "due": (None, {"limit": 100}),
    "events": (rows("running", type="log", data="{}"), {}),
    "facts": (ids("running"), {}),
    "fence": (rows("running"), {}),
    "heads": (None, FRONT),
    "heads#from their places": (None, PLACES),
    "held_by": (None, {"session": "w1"}),
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
    "orphans": (None, {}),
    "partials": (rows("running", part=1, text="x"), {}),
    "rounds": (rows("running"), {}),
    "renew": (None, {"session": "w1", "lease": 30_000}),
    "sending_by": (None, {"session": "w1"}),
    "session_alive": (None, {"session": "w1"}),
    "session_end": (["w1", "w2"], {}),
    "session_held": (["w30", "w31"], {}),
    "session_leave": (["w1"], {}),
    "session_start": (None, {"session": "n", "host": "h", "pid": 1, "queues": "", "lease": 30_000}),
    "sessions_expired": (None, {}),
    "startable": (["type1", "type2"], FRONT),
    "startable#from their places": (["type1", "type2"], PLACES),
    "startable#of an unknown type": (["strange"], FRONT),
    "startable_suspects": (["type1", "type2"], {"queue": "queue1"}),
    "steps": (rows("running", name="more", n=1, digest="d", duration_ms=1), {}),
    "submit": (
        submissions._batch(Transaction(None, crowd.NOW, terms=Terms()), ACCEPTED),
        {"key_ttl": 86_400_000, **MORE},
    ),
    "submitted": ([submissions._keys(one) | submissions._adorned(one) for one in ACCEPTED], {}),
    "suspects": (["type1", "type2"], {"queue": "queue1", "free": 64}),
    "texts": (rows("pending", kind="more", text="{}"), {}),
    "touch": (rows("running", progress=0.5), {}),
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
    """The calls that a database has: SQLite keeps nothing of what was deleted, so it needs no `heads`."""
    return [name for name in CALLS if dialect != "sqlite" or file(name) != "heads"]


def file(name: str) -> str:
    """The file that a call runs."""
    return name.partition("#")[0]
