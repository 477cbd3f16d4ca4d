"""The webhook channel: a POST signed by Standard Webhooks with the installation's secret.

A status of 2xx delivers, 410 ends it, anything else is tried again by the outbox's schedule.
"""

from __future__ import annotations

from duly.deliver.channel import Capabilities, Reply
from duly.deliver.post import Poster
from duly.deliver.render import webhook_body
from duly.model.task import Task
from duly.store.deliveries import Delivery


class WebhookChannel:
    """Sends to `delivery.target["url"]`."""

    capabilities = Capabilities()

    def __init__(self, secret: str, poster: Poster) -> None:
        self._secret = secret
        self._poster = poster

    def render(self, task: Task) -> str:
        """The body by Standard Webhooks."""
        return webhook_body(task)

    async def send(self, delivery: Delivery, body: str, task: Task) -> Reply:  # noqa: ARG002 - the protocol's
        """Sends once; every failure is a `Reply`."""
        url = str(delivery.target.get("url", ""))
        return await self._poster.signed(url, delivery.id, body.encode(), (self._secret,))

    async def close(self) -> None:
        """Closes what is open."""
        await self._poster.close()
