"""The sending end on real brokers: order by priority, a window, and a broker that is not there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from duly.cli.checkup import examine
from duly.config import Settings, SettingsError
from duly.model.errors import BrokerAway
from duly.runtime.broker import Broker, celery_app, queue_name
from support import engines

ON_BOTH = pytest.mark.parametrize("kind", ["celery-rabbitmq", "celery-redis"])


@pytest.fixture
def settings(kind: str) -> Iterator[Settings]:
    one = Settings(**engines.settings(kind))
    yield one
    engines.forget(one)


def received(settings: Settings, count: int) -> list[list[Any]]:
    """The arguments of the next messages, as a Celery worker would take them."""
    app = celery_app(settings, patient=True)
    queue, got = app.amqp.queues[queue_name(settings, "default")], list[Any]()
    with app.connection_for_read() as line:
        channel = line.channel()
        channel.basic_qos(0, 1, False)

        def take(body: Any, message: Any) -> None:
            got.append(body[0] if not isinstance(body, str) else json.loads(body)[0])
            message.ack()

        with line.Consumer([queue], callbacks=[take], accept=["json"], channel=channel):
            while len(got) < count:
                line.drain_events(timeout=5)
    return got


@pytest.mark.services
@ON_BOTH
def test_a_message_is_a_tasks_id_and_nothing_else(settings: Settings) -> None:
    """In the order of claims where priorities are equal, the higher ones first."""
    with closing(Broker(settings)) as broker:
        assert broker.send("default", [("a", 6), ("b", 6), ("c", 1), ("d", 10)], window=10) == 4
        while broker.standing("default")[0] < 4:
            pass
    assert received(settings, 4) == [["c"], ["a"], ["b"], ["d"]]


@pytest.mark.services
@ON_BOTH
def test_no_more_wait_than_the_window(settings: Settings) -> None:
    """The rest is told to be unsent."""
    with closing(Broker(settings)) as broker:
        assert broker.send("default", [("a", 6), ("b", 6), ("c", 6)], window=2) == 2
        while broker.standing("default")[0] < 2:  # RabbitMQ counts a little later
            pass
        assert broker.send("default", [("c", 6)], window=2) == 0
        assert broker.send("default", [("c", 6)], window=3) == 1
    assert received(settings, 3) == [["a"], ["b"], ["c"]]


@pytest.mark.services
@ON_BOTH
def test_a_queue_that_was_removed_is_made_again(settings: Settings) -> None:
    """By an operator, or with a broker that forgot all."""
    with closing(Broker(settings)) as broker, closing(Broker(settings)) as other:
        broker.send("default", [("a", 6)], window=10)
        other.delete("default")
        assert broker.send("default", [("b", 6)], window=10) == 1
    assert received(settings, 1) == [["b"]]


@pytest.mark.services
@ON_BOTH
def test_doctor_asks_the_broker(settings: Settings, kind: str, tmp_path: Any) -> None:
    """What waits there; that nobody takes it, where the broker can say so; that nobody sends."""
    report = examine({}, environment(settings, tmp_path))
    said = [(one.state, one.text) for one in report.findings if one.name == "broker"]
    assert said[0][0] == "ok"
    assert "0 messages" in said[0][1]
    notes = [text for state, text in said if state == "note"]
    assert any("nobody sends" in text for text in notes)
    assert any("nobody takes" in text for text in notes) is (kind == "celery-rabbitmq")


def environment(settings: Settings, folder: Any) -> dict[str, str]:
    return {
        "DULY_ENGINE": "celery",
        "DULY_BROKER_URL": settings.broker_url,
        "DULY_BROKER_PREFIX": settings.broker_prefix,
        "DULY_DATABASE_URL": f"sqlite:///{folder / 'duly.db'}",
    }


@pytest.mark.parametrize("url", ["amqp://guest:geheim@127.0.0.1:1//", "redis://:geheim@127.0.0.1:1/0"])
def test_a_broker_that_is_not_there(url: str, tmp_path: Any) -> None:
    """One error of ours, without the password; doctor says it, and goes on."""
    settings = Settings(engine="celery", broker_url=url)
    with closing(Broker(settings)) as broker, pytest.raises(BrokerAway, match="refused"):
        broker.send("default", [("a", 6)], window=10)
    report = examine({}, environment(settings, tmp_path))
    assert any(line.startswith("broker: ") for line in report.problems)
    assert "geheim" not in repr(report)


def test_without_celery_it_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what to install is said."""
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(SettingsError, match=r"duly\[celery\]"):
        celery_app(Settings(), patient=False)
