"""The inbox channel: a line for the task's owner, written once, in the transaction that settles it."""

from __future__ import annotations

from duly.deliver.channel import Capabilities, Reply
from duly.deliver.record import with_send
from duly.deliver.render import event_type, inbox_body
from duly.model.delivery import Outcome
from duly.model.task import Task
from duly.store import deliveries
from duly.store.database import Database


class InboxChannel:
    """Sends into the owner's inbox of this database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    capabilities = Capabilities(updates=True)

    def render(self, task: Task) -> str:
        """Title and message in the task's language."""
        return inbox_body(task)

    async def send(self, delivery: deliveries.Delivery, body: str, task: Task) -> Reply:
        """Writes the line and settles the delivery; sent twice, it stands there once."""
        notice = deliveries.Notice(
            delivery_id=delivery.id,
            attempt=delivery.attempt,
            task_id=task.id,
            tenant=task.tenant,
            owner=task.owner,
            type=delivery.target.get("type") or event_type(task),
            body=body,
            log=with_send(delivery, self._database.clock.now_ms(), outcome=Outcome.SENT),
        )
        await self._database.write(deliveries.notify, notice)
        return Reply(ok=True, recorded=True)
