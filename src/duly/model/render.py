"""The one shape of a task on every wire (HTTP, webhook, socket): times as ISO 8601, error codes as words."""

from __future__ import annotations

from typing import Any

from duly.clock import iso
from duly.model.task import Task

#: What Duly's own error codes mean, English and Chinese. `{error}` is the recorded text, where it says more.
ERROR_TEXTS = {
    "timeout": ("The attempt took longer than its timeout.", "执行超过了时限。"),
    "llm_timeout": (
        "The model did not answer in time; check the network or try again later.",
        "LLM 请求超时，请检查网络或稍后再试",
    ),
    "expired": (
        "The deadline passed before a worker could start the task.",
        "截止时间已过，任务尚未能开始执行。",
    ),
    "wait_timeout": ("No signal came in time: {error}", "未在规定时间内收到信号：{error}"),
    "track_timeout": ("The external job did not end in time: {error}", "外部任务未在规定时间内结束：{error}"),
    "public_url_missing": (
        "The handler gives a vendor a callback, but the setting public_url is missing.",
        "处理程序需要回调地址，但未配置 public_url。",
    ),
    "child_failed": ("A child task did not succeed: {error}", "子任务未成功：{error}"),
    "items_failed": ("Some items failed for good: {error}", "部分条目处理失败：{error}"),
    "deadline_exceeded": ("The deadline passed before the task was done.", "截止时间已过，任务未能完成。"),
    "handler_error": ("The handler failed: {error}", "处理程序出错：{error}"),
    "retry": ("The handler asked for a retry: {error}", "处理程序要求重试：{error}"),
    "worker_lost": (
        "The worker died again and again while it ran this task.",
        "执行该任务的工作进程多次意外终止。",
    ),
    "process_died": ("The task's own process died: {error}", "任务的独立进程意外终止：{error}"),
    "not_started": (
        "The task's own process could not be started: {error}",
        "任务的独立进程无法启动：{error}",
    ),
    "not_json": ("The result cannot be kept as JSON: {error}", "结果无法保存为 JSON：{error}"),
    "replay_mismatch": (
        "The handler no longer makes the calls that were recorded.",
        "处理程序的代码与已记录的步骤不一致。",
    ),
    "unknown_task_type": ("No handler is registered for this task type.", "没有注册该任务类型的处理程序。"),
    "too_large": ("The value is larger than the limit: {error}", "数据超过大小限制：{error}"),
    # The codes of duly.documents; a test holds the words equal to its own.
    "empty_document": ("The document is empty: it contains no text.", "文件为空：其中没有任何文字。"),
    "unsupported_document": (
        "This kind of file is not supported. Please send a PDF, DOCX, XLSX, HTML or text file.",
        "不支持这种文件格式，请上传 PDF、DOCX、XLSX、HTML 或纯文本文件。",
    ),
    "macros_refused": (
        "The document holds macros. Please save it as DOCX or XLSX, without them.",
        "文件含有宏，请另存为不含宏的 DOCX 或 XLSX 后再上传。",
    ),
    "corrupt_document": (
        "The document is damaged or incomplete. Please export or download it again.",
        "文件已损坏或不完整，请重新导出或下载后再上传。",
    ),
    "encrypted_document": (
        "The document is protected by a password. Please send it without one.",
        "文件已加密，请去除密码后再上传。",
    ),
    "document_too_large": (
        "The document is too large to read safely. Please send it in smaller parts.",
        "文件过大，超出安全读取的限制，请拆分后再上传。",
    ),
    "needs_ocr": (
        "The document is a scan: its pages are images without text. Please run OCR on it first.",
        "该文件是扫描件，页面只有图像没有文字，请先做文字识别（OCR）。",
    ),
    "text_unreadable": (
        "The text in this document cannot be extracted: its character map is broken. Please run OCR on it.",
        "该文件的字符映射表已损坏，提取的文字是乱码，请重新导出或先做文字识别（OCR）。",
    ),
    "budget_exceeded": ("A budget for model calls is used up: {error}", "模型调用预算已用完：{error}"),
    "unknown_blob": ("The uploaded file is not there: {error}", "上传的文件不存在：{error}"),
}


def chinese(language: object) -> bool:
    """Whether a language tag asks for Chinese (`zh`, `zh-CN`, `zh_Hans`)."""
    return isinstance(language, str) and language.lower().startswith("zh")


def error_text(task: Task, language: str = "en") -> str | None:
    """The task's error in `language`; an error that is not Duly's own keeps its text."""
    texts = ERROR_TEXTS.get(task.error_code or "")
    if texts is None or (task.error and not chinese(language)):
        return task.error
    text = texts[1] if chinese(language) else texts[0]
    return text.replace("{error}", task.error or "").rstrip(" :：")


def task_wire(task: Task, *, language: str = "en") -> dict[str, Any]:
    """The task as JSON values; `result` is null until it has completed. `language` is for `error`.

    A batch that was looked up by its id has its counters under `batch`: total, and one per status.
    """
    return {
        "id": task.id,
        "task_type": task.task_type,
        "status": task.status.value,
        "priority": task.priority,
        "retry_count": task.retry_count,
        "max_retries": task.max_retries,
        "progress": task.progress,
        "progress_message": task.progress_message,
        "queue": task.queue,
        "owner": task.owner,
        "parent_id": task.parent_id,
        "tags": list(task.tags),
        "created_at": iso(task.created_at),
        "started_at": iso(task.started_at),
        "completed_at": iso(task.completed_at),
        "due_at": iso(task.due_at),
        "deadline_at": iso(task.deadline_at),
        "expires_at": iso(task.expires_at),
        "result": task.result,
        "error": error_text(task, language),
        "error_code": task.error_code,
        "metadata": _metadata(task),
        "attempt": task.attempt,
        "code_version": task.code_version,
        "cancel_requested": task.cancel_requested_at is not None,
        **({} if task.batch is None else {"batch": dict(task.batch)}),
    }


def _metadata(task: Task) -> dict[str, Any]:
    metadata = dict(task.metadata)
    if task.started_at is not None and task.completed_at is not None:
        metadata["duration_ms"] = task.completed_at - task.started_at
    if task.exhausted:
        metadata["retry_exhausted"] = True
    return metadata
