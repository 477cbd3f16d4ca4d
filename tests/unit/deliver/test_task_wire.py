"""The one shape of a task on every wire."""

from __future__ import annotations

import pytest

from duly.documents.errors import BY_CODE
from duly.model.outcome import Fail
from duly.model.render import ERROR_TEXTS, task_wire
from duly.model.state import Status
from duly.store import submissions
from support.world import World

FIELDS = [
    "id",
    "task_type",
    "status",
    "priority",
    "retry_count",
    "max_retries",
    "progress",
    "progress_message",
    "queue",
    "owner",
    "parent_id",
    "tags",
    "created_at",
    "started_at",
    "completed_at",
    "due_at",
    "deadline_at",
    "expires_at",
    "result",
    "error",
    "error_code",
    "metadata",
    "attempt",
    "code_version",
    "cancel_requested",
]


async def test_a_waiting_task_has_every_field(world: World) -> None:
    """All fields are there from the start; what is not known yet is null."""
    id_ = await world.submit(owner="ann", tags=("a", "b"), metadata={"n": 1}, priority=7)
    wire = task_wire(await world.task(id_))
    assert list(wire) == FIELDS
    assert (wire["status"], wire["priority"], wire["owner"], wire["metadata"]) == (
        "pending",
        7,
        "ann",
        {"n": 1},
    )
    assert sorted(wire["tags"]) == ["a", "b"]
    assert (wire["result"], wire["error"], wire["started_at"], wire["completed_at"]) == (
        None,
        None,
        None,
        None,
    )


async def test_an_ended_task_says_how_long_it_took(world: World) -> None:
    """metadata gets duration_ms; times are ISO 8601 with milliseconds and a Z."""
    await world.session()
    id_ = await world.submit()
    claimed = await world.claim()
    world.clock.advance(1.25)
    await world.finish(claimed)
    wire = task_wire(await world.task(id_))
    assert wire["metadata"] == {"duration_ms": 1250}
    assert wire["result"] == {"answer": 42}
    assert wire["completed_at"][-5:-4] == "."
    assert wire["completed_at"].endswith("Z")


async def test_an_exhausted_task_says_so(world: World) -> None:
    """metadata.retry_exhausted is there when the last retry has failed, and not otherwise."""
    await world.session()
    spent = await world.ended(target=Status.FAILED, error_code="e", error="x", exhausted=True)
    gave_up = await world.ended(target=Status.FAILED, error_code="e", error="x")
    assert task_wire(await world.task(spent))["metadata"]["retry_exhausted"] is True
    assert "retry_exhausted" not in task_wire(await world.task(gave_up))["metadata"]


async def test_a_cancel_on_its_way_shows(world: World) -> None:
    """cancel_requested is true while the attempt has not stopped yet."""
    await world.session()
    id_ = await world.submit()
    await world.claim()
    await world.database.write(submissions.cancel, id_)
    assert task_wire(await world.task(id_))["cancel_requested"] is True


@pytest.mark.parametrize("code", [*ERROR_TEXTS, "my_own"])
async def test_errors_of_duly_are_told_in_the_readers_language(world: World, code: str) -> None:
    """Duly's own codes have Chinese texts that keep the detail; a handler's own text is kept as it is."""
    await world.session()
    error = Fail(code, "detail 7").message
    task = await world.task(await world.ended(target=Status.FAILED, error_code=code, error=error))
    chinese = task_wire(task, language="zh-CN")["error"]
    assert task_wire(task)["error"] == "detail 7"
    own = code == "my_own"
    assert (chinese == "detail 7") is own
    assert own or ("detail 7" in chinese) is ("{error}" in ERROR_TEXTS[code][1])


async def test_a_code_without_a_text_is_explained(world: World) -> None:
    """A code of Duly's without a recorded text has one in both languages."""
    await world.session()
    task = await world.task(await world.ended(target=Status.FAILED, error_code="handler_error"))
    assert task_wire(task)["error"] == "The handler failed"
    assert task_wire(task, language="zh")["error"] == "处理程序出错"


def test_documents_that_cannot_be_read_are_told_in_their_own_words() -> None:
    """Each code of `duly.documents` has the same two texts here."""
    own = {code: (kind.message, kind.message_zh) for code, kind in BY_CODE.items()}
    assert {code: ERROR_TEXTS[code] for code in own} == own
