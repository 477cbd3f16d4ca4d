"""The broker as the bridge uses it: one Celery application, a queue for each of ours, a task's id as message.

What it holds is a hint. A message that is lost is sent again, one that comes twice finds the task taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from duly.config import Settings, SettingsError
from duly.model.errors import BrokerAway

#: The one Celery task. Its argument is the id of one of ours, and nothing else.
TASK = "duly.run"
#: How long a sender waits for the broker, in seconds.
PATIENCE = 5.0
PRIORITIES = 10


def celery_app(settings: Settings, *, patient: bool) -> Any:
    """The Celery application of this installation; `patient`: a consumer, which waits for the broker.

    Raises:
        SettingsError: Celery is not installed.
    """
    try:
        from celery import Celery
    except ModuleNotFoundError as error:
        raise SettingsError(["engine = celery needs Celery: pip install 'duly[celery]'"]) from error
    app = Celery("duly", broker=settings.broker_url, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,  # acknowledged when it begins: from then on the row's lease is what counts
        task_default_queue=queue_name(settings, settings.queue_names[0]),
        task_create_missing_queues=True,
        task_queue_max_priority=PRIORITIES,
        task_default_delivery_mode="transient",  # a message that is lost with its broker is sent again
        worker_prefetch_multiplier=1,
        worker_pool="threads",
        worker_concurrency=settings.concurrency,
        worker_redirect_stdouts=False,  # our log lines are lines of our log, not warnings of Celery's
        broker_connection_retry_on_startup=True,
        broker_heartbeat=120 if patient else 0,  # a sender sends none: it looks when it has something to say
        broker_transport_options=_transport(settings.broker_url, patient=patient),
    )
    for name in settings.queue_names:
        app.amqp.queues.select_add(queue_name(settings, name))
    return app


def queue_name(settings: Settings, queue: str) -> str:
    """Celery's name for one of our queues."""
    return f"{settings.broker_prefix}{queue}"


def _on_redis(url: str) -> bool:
    return url.startswith(("redis", "sentinel"))


def _transport(url: str, *, patient: bool) -> dict[str, Any]:
    """Redis keeps a list per priority, and would mix them unless told to take the first one first."""
    if _on_redis(url):
        steps = {"priority_steps": list(range(PRIORITIES)), "queue_order_strategy": "priority"}
        return steps if patient else {**steps, "socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
    return {} if patient else {"read_timeout": PATIENCE, "write_timeout": PATIENCE}


class Broker:
    """The sending end: one connection, made when it is needed, dropped after an error. For one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._app = celery_app(settings, patient=False)
        self._lowest_first = _on_redis(settings.broker_url)
        self._producer: Any = None
        self._made: set[str] = set()

    def send(self, queue: str, letters: Sequence[tuple[str, int]], *, window: int) -> int:
        """Sends (task id, rank) in their order, as long as fewer than `window` messages wait; how many.

        Raises:
            BrokerAway: it cannot be reached; some may have been sent.
        """
        was_idle = self._producer is not None
        try:
            return self._send(queue, letters, window)
        except self._errors as error:
            self.close()
            if not was_idle:
                raise _away(error) from error
        try:
            return self._send(queue, letters, window)  # a connection that broke while it was idle
        except self._errors as error:
            self.close()
            raise _away(error) from error

    def _send(self, queue: str, letters: Sequence[tuple[str, int]], window: int) -> int:
        room = max(0, window - int(self._queue(queue).queue_declare().message_count))
        for id_, rank in letters[:room]:
            self._app.send_task(
                TASK,
                args=(id_,),
                queue=queue_name(self._settings, queue),
                priority=rank - 1 if self._lowest_first else PRIORITIES + 1 - rank,
                producer=self._producer,
                retry=False,
                ignore_result=True,
            )
        return min(room, len(letters))

    def standing(self, queue: str) -> tuple[int, int]:
        """How many messages wait in one of our queues, and how many consumers it has; -1: Redis does not say.

        Raises:
            BrokerAway: it cannot be reached.
        """
        with self._told():
            found = self._queue(queue).queue_declare()
        return int(found.message_count), -1 if self._lowest_first else int(found.consumer_count)

    def delete(self, queue: str) -> None:
        """Removes one of our queues with all that waits in it: its tasks are sent again, if anybody sends.

        Raises:
            BrokerAway: it cannot be reached.
        """
        with self._told():
            self._queue(queue).delete()
        self._made.clear()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turns errors of the broker into ours; the connection is not used again."""
        try:
            yield
        except self._errors as error:
            self.close()
            raise _away(error) from error

    def _queue(self, queue: str) -> Any:
        """One of our queues, made if it was not there."""
        here = self._app.amqp.queues[queue_name(self._settings, queue)].bind(self._open().channel)
        if here.name not in self._made:
            here.declare()
            self._made.add(here.name)
        return here

    @property
    def _errors(self) -> tuple[type[Exception], ...]:
        from kombu.exceptions import KombuError

        connection = self._app.connection_for_write()
        return (*connection.connection_errors, *connection.channel_errors, KombuError, OSError)

    def _open(self) -> Any:
        if self._producer is None:
            connection = self._app.connection_for_write(connect_timeout=PATIENCE)
            connection.ensure_connection(max_retries=1, timeout=PATIENCE)
            self._producer = self._app.amqp.Producer(connection, auto_declare=False)
        return self._producer

    def close(self) -> None:
        """Drops the connection."""
        producer, self._producer = self._producer, None
        self._made.clear()
        if producer is not None:
            with contextlib.suppress(Exception):
                producer.connection.release()


def _away(error: Exception) -> BrokerAway:
    return BrokerAway(f"the broker cannot be reached: {' '.join(str(error).split()) or type(error).__name__}")
