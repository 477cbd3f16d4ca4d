"""The bodies of deliveries: a webhook's by Standard Webhooks, an inbox line in the task's language."""

from __future__ import annotations

import json
from typing import Any

from duly.clock import iso
from duly.model.render import chinese, error_text, task_wire
from duly.model.state import Status
from duly.model.task import Task

#: Standard Webhooks recommends at most 20 kB; a larger result is fetched instead.
BODY_LIMIT = 20_000

_TITLES = {
    Status.COMPLETED: ("Task completed", "任务已完成"),
    Status.FAILED: ("Task failed", "任务失败"),
    Status.CANCELLED: ("Task cancelled", "任务已取消"),
}


def event_type(task: Task) -> str:
    """`task.completed`, `task.failed` or `task.cancelled`."""
    return f"task.{task.status.value}"


def language_of(task: Task) -> str:
    """The language that the task's metadata asks for; English unless it says."""
    return "zh" if chinese(task.metadata.get("language")) else "en"


def webhook_body(task: Task) -> str:
    """`{type, timestamp, data}`; a body over 20 kB says where the result is, in place of it."""
    data = task_wire(task, language=language_of(task))
    envelope = {"type": event_type(task), "timestamp": iso(task.completed_at), "data": data}
    body = _json(envelope)
    if len(body.encode()) <= BODY_LIMIT:
        return body
    omitted = {"result": None, "result_omitted": True, "url": f"/api/tasks/{task.id}"}
    return _json({**envelope, "data": {**data, **omitted}})


def inbox_body(task: Task) -> str:
    """`{title, message, task_id, task_type, status}`."""
    zh = chinese(language_of(task))
    facts = {"task_id": task.id, "task_type": task.task_type, "status": task.status.value}
    return _json({"title": _TITLES[task.status][zh], "message": _message(task, zh=zh), **facts})


def _message(task: Task, *, zh: bool) -> str:
    if task.status is Status.FAILED:
        reason = error_text(task, language_of(task)) or task.error_code or ""
        return f"{task.task_type}：{reason}" if zh else f"{task.task_type}: {reason}"
    if task.status is Status.CANCELLED:
        return f"{task.task_type} 已取消。" if zh else f"{task.task_type} was cancelled."
    if task.started_at is None or task.completed_at is None:
        return f"{task.task_type} 已完成。" if zh else f"{task.task_type} is done."
    seconds = (task.completed_at - task.started_at) / 1000
    return (
        f"{task.task_type} 已完成，用时 {seconds:.1f} 秒。"
        if zh
        else f"{task.task_type} is done ({seconds:.1f} s)."
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
