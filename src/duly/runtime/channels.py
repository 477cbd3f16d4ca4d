"""Which ways to send there are, as the settings want them."""

from __future__ import annotations

from typing import Any

from duly.config import SettingsError
from duly.deliver.addresses import allowed
from duly.deliver.channel import Channel
from duly.deliver.endpoint import EndpointChannel
from duly.deliver.inbox import InboxChannel
from duly.deliver.post import Poster
from duly.deliver.webhook import WebhookChannel
from duly.model.delivery import Endpoint
from duly.runtime.app import App


def channels(app: App) -> dict[str, Channel]:
    """One of each, by the name that a delivery's row has."""
    return {
        "webhook": WebhookChannel(app.credentials.webhook_secret, poster(app)),
        "endpoint": endpoint_channel(app),
        "inbox": InboxChannel(app.database),
    }


def endpoint_channel(app: App) -> EndpointChannel:
    """The way to endpoints; also for a test of one."""
    return EndpointChannel(app.database, poster(app), source=app.terms.public_url)


async def tested(app: App, endpoint: Endpoint) -> dict[str, Any]:
    """Sends an endpoint a test event, now and once: {outcome, code, error}."""
    channel = endpoint_channel(app)
    try:
        reply = await channel.test(endpoint)
    finally:
        await channel.close()
    return {"outcome": reply.outcome, "code": reply.code, "error": reply.error}


def poster(app: App) -> Poster:
    """What calls URLs.

    Raises:
        SettingsError: webhook_allow names what is no address.
    """
    try:
        named = allowed(app.settings.webhook_allow)
    except ValueError as error:
        raise SettingsError([f"webhook_allow: {error}"]) from None
    return Poster(private=app.settings.webhook_private, allow=named)
