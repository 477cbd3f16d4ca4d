"""What a webhook's body says."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import jsonschema_rs  # which schemathesis brings
import pytest

from duly.clock import iso
from duly.deliver.channel import Reply
from duly.deliver.cloudevents import cloud_event
from duly.deliver.endpoint import EndpointChannel
from duly.deliver.render import BODY_LIMIT, webhook_body
from duly.http import shapes
from duly.model.delivery import Endpoint, EndpointWish
from duly.model.state import Status
from support.world import World


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
async def test_a_body_has_type_timestamp_and_the_task(world: World, status: Status) -> None:
    """{type, timestamp, data}: the timestamp is the moment of the end, data the task as on every wire."""
    await world.session()
    task = await world.task(await world.ended(target=status))
    body = json.loads(webhook_body(task))
    assert sorted(body) == ["data", "timestamp", "type"]
    assert body["type"] == f"task.{status}"
    assert body["timestamp"] == iso(task.completed_at) == body["data"]["completed_at"]
    assert body["data"]["result"] == ({"answer": 42} if status is Status.COMPLETED else None)


async def test_a_large_result_is_fetched_instead(world: World) -> None:
    """A body over 20 kB drops the result, says so, and says where it is; one under keeps it."""
    await world.session()
    for characters, kept in ((BODY_LIMIT // 4, True), (BODY_LIMIT // 3, False)):
        task = await world.task(await world.ended(result=json.dumps("字" * characters)))
        data = json.loads(webhook_body(task))["data"]
        assert (data["result"] is not None) is kept
        assert data.get("result_omitted", False) is not kept
        assert kept or data["url"] == f"/api/tasks/{task.id}"
        assert len(webhook_body(task).encode()) <= BODY_LIMIT


def wrong(body: str) -> list[str]:
    """What is not as OpenAPI describes this webhook; a field that is not described is wrong too."""
    said = json.loads(body)
    event = "specversion" in said
    name = said["type"].removeprefix("org.duly.").removesuffix(".v1") if event else said["type"]
    content = shapes.webhooks()[name]["post"]["requestBody"]["content"]
    schema = content["application/cloudevents+json" if event else "application/json"]["schema"]
    root = closed({**schema, "components": {"schemas": shapes.SCHEMAS}})
    return [one.message for one in jsonschema_rs.validator_for(root).iter_errors(said)]


def closed(schema: Any) -> Any:
    """The same, where no object has a field that is not described."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(one) for name, one in schema.items()}
    described = schema.get("type") == "object" and "properties" in schema
    return inner | ({"additionalProperties": False} if described else {})


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
async def test_bodies_are_as_openapi_says(world: World, status: Status) -> None:
    """In both forms, also when the result is too large to be in it."""
    await world.session()
    large = json.dumps("x" * BODY_LIMIT) if status is Status.COMPLETED else '{"answer": 42}'
    for result in ('{"answer": 42}', large):
        body = webhook_body(await world.task(await world.ended(target=status, result=result)))
        assert wrong(body) == []
        assert wrong(cloud_event("d1", body, "https://duly.example")) == []


@pytest.mark.parametrize("form", ["standard-webhooks", "cloudevents"])
async def test_a_test_event_is_as_openapi_says(world: World, form: str) -> None:
    """It is of no task."""
    sent: list[bytes] = []

    async def signed(_url: str, _id: str, body: bytes, *_: Any) -> Reply:
        sent.append(body)
        return Reply(ok=True)

    wish = EndpointWish(url="https://receiver.example", format=form)
    endpoint = Endpoint(id="e1", tenant="", owner="ann", wish=wish, secrets=())
    channel: Any = EndpointChannel(world.database, SimpleNamespace(clock=world.clock, signed=signed))  # type: ignore[arg-type]
    assert (await channel.test(endpoint)).ok
    assert [wrong(one.decode()) for one in sent] == [[]]
