"""The engines that hand out tasks: our own workers, and Celery over RabbitMQ and over Redis.

`DULY_TEST_RABBITMQ` and `DULY_TEST_REDIS` say where the brokers are; without them the loopback servers. One
that is absent skips its tests, or fails them when `DULY_REQUIRE_SERVICES=1`. An estate has queues of its own.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uuid_utils

from duly.config import Settings
from duly.model.errors import BrokerAway
from duly.runtime.broker import Broker
from support import servers
from support.cluster import Cluster

BROKERS = {
    "celery-rabbitmq": os.environ.get("DULY_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//"),
    "celery-redis": os.environ.get("DULY_TEST_REDIS", "redis://127.0.0.1:6379/13"),
}
KINDS = ("pull", *BROKERS)


def settings(kind: str) -> dict[str, Any]:
    """What makes an engine, with names of its own in the broker.

    Raises:
        pytest.skip.Exception, pytest.fail.Exception: its broker is not there.
    """
    if kind == "pull":
        return {}
    there(kind)
    words = {"engine": "celery", "broker_url": BROKERS[kind], "resend": 1.0}
    return {**words, "broker_prefix": f"duly-test-{uuid_utils.uuid7().hex}."}


@functools.cache
def there(kind: str) -> None:
    """Returns when a broker answers."""
    try:
        with closing(Broker(Settings(broker_url=BROKERS[kind], broker_prefix="duly-test-"))) as broker:
            broker.standing("there")
            broker.delete("there")
    except BrokerAway as error:
        variable = f"DULY_TEST_{kind.removeprefix('celery-').upper()}"
        message = f"{kind}: {error}; start it, or name it in {variable}"
        if os.environ.get("DULY_REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)


class Estate:
    """One engine on a database of its own rows: real processes, that were started as their users do."""

    def __init__(self, kind: str, folder: Path, **more: Any) -> None:
        self.kind = kind
        self.folder = folder
        self.values = {"database_url": servers.database_url("postgres"), **settings(kind), **more}
        servers.clear(self.values["database_url"])
        self.processes = Cluster(folder, **self.values)

    def start(self, *, slots: int = 20) -> None:
        """Starts what a small installation has."""
        self.processes.start("worker")
        if self.kind != "pull":
            self.processes.start_celery(slots=slots)

    def close(self) -> None:
        """Ends all of it, and removes its queues from the broker."""
        self.processes.close()
        if self.kind != "pull":
            forget(self.processes.settings)


def forget(of: Settings) -> None:
    """Removes an installation's queues from its broker."""
    with contextlib.suppress(BrokerAway), closing(Broker(of)) as broker:
        for queue in of.queue_names:
            broker.delete(queue)


@contextlib.contextmanager
def estate(kind: str, folder: Path, **more: Any) -> Iterator[Estate]:
    """An engine without processes; whatever was started in it is ended afterwards."""
    one = Estate(kind, folder, **more)
    try:
        yield one
    finally:
        one.close()
