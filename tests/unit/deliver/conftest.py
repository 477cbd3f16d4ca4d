"""What the tests of deliveries share: a store, a secret, and an outbox that may call this host."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from duly.deliver.channel import Channel
from duly.deliver.endpoint import EndpointChannel
from duly.deliver.inbox import InboxChannel
from duly.deliver.outbox import Outbox
from duly.deliver.post import Poster
from duly.deliver.webhook import WebhookChannel
from support.world import World

SECRET = "whsec_" + b64encode(bytes(range(32))).decode()

MakeOutbox = Callable[..., Outbox]


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.database.close()


@pytest.fixture
async def make_outbox(world: World) -> AsyncIterator[MakeOutbox]:
    """`make_outbox(session="w1", webhook=…)`: an outbox whose channels may be replaced."""
    made: list[tuple[Outbox, WebhookChannel]] = []

    def make(session: str | None = "w1", **channels: Channel) -> Outbox:
        poster = Poster(private=True, clock=world.clock)
        webhook, endpoint = WebhookChannel(SECRET, poster), EndpointChannel(world.database, poster)
        chosen: dict[str, Channel] = {"webhook": webhook, "endpoint": endpoint, **channels}
        chosen.setdefault("inbox", InboxChannel(world.database))
        outbox = Outbox(world.database, channels=chosen, session=lambda: session, emit=world.emitted)
        made.append((outbox, webhook))
        return outbox

    yield make
    for outbox, webhook in made:
        await outbox.drain(0)
        await webhook.close()


@pytest.fixture
async def outbox(world: World, make_outbox: MakeOutbox) -> Outbox:
    """An outbox under the living session w1."""
    await world.session()
    return make_outbox()
