"""The systems that are compared: what runs them, on which database, and what is asked of them."""

from __future__ import annotations

from dataclasses import dataclass

EVERYTHING = ("submit_one", "submit_64", "submit_bulk", "drain", "latency", "waits", "idle", "startup")
#: What only Duly is asked: see `duly_metrics`.
OWN = ("latency_inside", "backlog")
NO_BULK = tuple(metric for metric in EVERYTHING if metric != "submit_bulk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """`venv` is the peer's own environment; None is the interpreter that runs the bench."""

    module: str
    venv: str | None
    database: str
    metrics: tuple[str, ...] = EVERYTHING


SYSTEMS = {
    "duly-sqlite": Spec(module="duly_system", venv=None, database="sqlite", metrics=EVERYTHING + OWN),
    "huey": Spec(module="peers.huey_peer", venv="huey", database="sqlite", metrics=NO_BULK),
    "dbos-sqlite": Spec(module="peers.dbos_peer", venv="dbos", database="sqlite", metrics=NO_BULK),
    "duly-postgres": Spec(module="duly_system", venv=None, database="postgres", metrics=EVERYTHING + OWN),
    "duly-mariadb": Spec(module="duly_system", venv=None, database="mariadb", metrics=("backlog",)),
    "oban": Spec(module="peers.oban_peer", venv="oban", database="postgres"),
    "oban-1000": Spec(module="peers.oban_peer", venv="oban", database="postgres", metrics=("drain",)),
    "dbos-postgres": Spec(module="peers.dbos_peer", venv="dbos", database="postgres", metrics=NO_BULK),
    "procrastinate": Spec(module="peers.procrastinate_peer", venv="procrastinate", database="postgres"),
    "pgqueuer": Spec(module="peers.pgqueuer_peer", venv="pgqueuer", database="postgres"),
}
