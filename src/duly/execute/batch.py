"""The handler of batches: members are children, spawned in parts, waited for without a worker, counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from duly.model.batch import BATCH
from duly.registry import TaskType

if TYPE_CHECKING:
    from duly.execute.context import Context


async def _batch(
    ctx: Context, tasks: list[dict[str, Any]], policy: Literal["collect", "fail_fast"] = "collect"
) -> dict[str, Any]:
    members = await ctx.spawn_many("members", tasks)
    return await ctx.tally(*members, policy=policy)


#: Every program has it, so that any worker can begin a batch, and end it.
BATCHES = TaskType(name=BATCH, handler=_batch)
