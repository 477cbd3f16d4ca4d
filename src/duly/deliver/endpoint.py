"""The endpoint channel: a POST to a receiver of the owner's, in its form, signed with its secrets."""

from __future__ import annotations

import json
from dataclasses import replace

import uuid_utils

from duly.clock import iso
from duly.deliver.channel import Capabilities, Reply
from duly.deliver.cloudevents import MEDIA_TYPE, cloud_event
from duly.deliver.post import Poster
from duly.deliver.render import event_type, webhook_body
from duly.model.delivery import Endpoint, Outcome
from duly.model.task import Task
from duly.store import endpoints
from duly.store.database import Database
from duly.store.deliveries import Delivery
from duly.store.owed import fits

TEST = "endpoint.test"


class EndpointChannel:
    """Sends to the endpoint that `delivery.target["id"]` names. `source` is of CloudEvents."""

    capabilities = Capabilities()

    def __init__(self, database: Database, poster: Poster, *, source: str = "") -> None:
        self._database = database
        self._poster = poster
        self._source = source

    def render(self, task: Task) -> str:
        """The body by Standard Webhooks; another form is made of the same bytes each time."""
        return webhook_body(task)

    async def send(self, delivery: Delivery, body: str, task: Task) -> Reply:
        """Sends once; every failure is a `Reply`."""
        endpoint = await self._database.read(endpoints.get, str(delivery.target.get("id", "")))
        if endpoint is None or (endpoint.tenant, endpoint.owner) != (task.tenant, task.owner):
            return _dead("there is no such endpoint")
        if not endpoint.enabled:
            return _dead(f"the endpoint is disabled: {endpoint.reason or 'by hand'}")
        if delivery.subscribed and not fits(json.dumps(endpoint.wish.events), event_type(task)):
            return Reply(ok=False, final=True, error="the task was retried, with an end that is not for it")
        reply = await self._post(endpoint, delivery.id, body)
        return replace(reply, endpoint=endpoint.id)

    async def test(self, endpoint: Endpoint) -> Reply:
        """Sends a test event, which is of no task, once and now; the endpoint's health is left alone."""
        now = iso(self._poster.clock.now_ms())
        data = {"endpoint_id": endpoint.id, "message": "A test. 这是一条测试消息。"}
        told = {"type": TEST, "timestamp": now, "data": data}
        return await self._post(endpoint, f"test_{uuid_utils.uuid7()}", json.dumps(told, ensure_ascii=False))

    async def close(self) -> None:
        """Closes what is open."""
        await self._poster.close()

    async def _post(self, endpoint: Endpoint, id_: str, body: str) -> Reply:
        kind = "application/json"
        if endpoint.wish.format == "cloudevents":
            body, kind = cloud_event(id_, body, self._source), MEDIA_TYPE
        secrets = endpoint.signing(self._poster.clock.now_ms())
        headers = {**endpoint.wish.headers, "content-type": kind}
        return await self._poster.signed(endpoint.wish.url, id_, body.encode(), secrets, headers)


def _dead(why: str) -> Reply:
    return Reply(ok=False, final=True, error=why, kind=Outcome.ROUTE_DEAD)
