"""What went wrong, in a few words of the caller's language; `problems` puts it into a problem's title."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Literal

from starlette.requests import HTTPConnection

Language = Literal["en", "zh"]

#: A problem's `code` to its title. What is not here is titled by its HTTP status.
TITLES: dict[str, dict[Language, str]] = {
    "bad_cursor": {"en": "The cursor is not valid", "zh": "分页游标无效"},
    "bad_digest": {"en": "The digest does not match", "zh": "摘要不符"},
    "bad_header": {"en": "A header cannot be read", "zh": "请求头无法解析"},
    "bad_link": {"en": "The link is not valid", "zh": "链接无效"},
    "bad_request": {"en": "The request cannot be read", "zh": "请求无法解析"},
    "batch_too_large": {"en": "The batch is larger than its quota", "zh": "批量任务超过配额"},
    "callback_not_found": {"en": "There is no such callback", "zh": "回调不存在"},
    "csrf": {"en": "The page must prove that the call is its own", "zh": "缺少或错误的跨站请求校验"},
    "delivery_not_found": {"en": "There is no such delivery", "zh": "投递不存在"},
    "empty_upload": {"en": "The upload is empty", "zh": "上传的文件为空"},
    "endpoint_not_found": {"en": "There is no such endpoint", "zh": "投递端点不存在"},
    "forbidden": {"en": "Not allowed", "zh": "无权执行此操作"},
    "foreign_host": {"en": "This host name is not served", "zh": "不接受此主机名"},
    "foreign_origin": {"en": "Pages of other sites may not call this API", "zh": "不接受其他网站发起的请求"},
    "gate_not_found": {"en": "There is no such gate", "zh": "模型闸门不存在"},
    "headers_too_large": {"en": "Too many headers", "zh": "请求头过大"},
    "idempotency_conflict": {"en": "Idempotency key used with another body", "zh": "幂等键已用于不同的请求"},
    "internal_error": {"en": "Something broke on our side", "zh": "服务器内部错误"},
    "invalid_input": {"en": "The input cannot be accepted", "zh": "输入无效"},
    "key_not_found": {"en": "There is no such key", "zh": "密钥不存在"},
    "limit_not_found": {"en": "There is no such limit", "zh": "限额不存在"},
    "malformed_json": {"en": "The body is not acceptable JSON", "zh": "请求体不是有效的 JSON"},
    "method_not_allowed": {"en": "Method not allowed here", "zh": "此地址不支持该请求方法"},
    "moved": {"en": "Moving to another database", "zh": "正在迁移到另一个数据库"},
    "not_allowed": {"en": "Credentials are missing or wrong", "zh": "缺少凭证或凭证无效"},
    "not_found": {"en": "There is nothing at this address", "zh": "该地址不存在"},
    "not_json": {"en": "The input holds what JSON cannot keep", "zh": "输入中含有 JSON 无法保存的内容"},
    "not_ready": {"en": "Not ready", "zh": "服务暂不可用"},
    "queue_full": {"en": "The queue is full", "zh": "队列已满"},
    "queue_not_found": {"en": "There is no such queue", "zh": "队列不存在"},
    "quota_exceeded": {"en": "Too many tasks wait already", "zh": "等待中的任务过多"},
    "range_not_satisfiable": {"en": "There are no such bytes", "zh": "范围无效"},
    "rate_limited": {"en": "Too many requests", "zh": "请求过于频繁"},
    "request_timeout": {"en": "The request did not arrive in time", "zh": "请求未在时限内到达"},
    "schedule_declared": {"en": "The code declares this schedule", "zh": "该计划由代码声明"},
    "schedule_not_found": {"en": "There is no such schedule", "zh": "计划不存在"},
    "schedule_taken": {"en": "This name is another schedule's", "zh": "该名称已被其他计划占用"},
    "schema_outdated": {"en": "The database must be upgraded", "zh": "数据库需要升级"},
    "state_conflict": {"en": "The task's state does not allow this", "zh": "任务当前状态不允许此操作"},
    "task_not_found": {"en": "There is no such task", "zh": "任务不存在"},
    "too_large": {"en": "Too large", "zh": "内容过大"},
    "too_many_streams": {"en": "Too many open streams", "zh": "打开的实时流过多"},
    "unique_taken": {"en": "Another task holds this unique key", "zh": "唯一键已被其他任务占用"},
    "unknown_blob": {"en": "There is no such upload", "zh": "上传的文件不存在"},
    "unknown_task_type": {"en": "Unknown task type", "zh": "未知的任务类型"},
    "unsupported_database": {"en": "This database is not supported", "zh": "不支持该数据库"},
    "unsupported_media_type": {"en": "Unsupported media type", "zh": "不支持的内容类型"},
}

_OTHER_ZH = {
    400: "请求无效",
    401: "缺少凭证或凭证无效",
    403: "无权执行此操作",
    404: "未找到",
    409: "状态冲突",
}
_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")


def title(code: str, status: int, language: Language) -> str:
    """The title of a problem."""
    if code in TITLES:
        return TITLES[code][language]
    if language == "zh":
        return _OTHER_ZH.get(status, "请求失败" if status < 500 else "服务器错误")
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Error"


def language(connection: HTTPConnection) -> Language:
    """The language that the caller likes best of those we have (RFC 9110, 12.5.4); English when in doubt."""
    best: Language = "en"
    weight = 0.0
    for one in connection.headers.get("accept-language", "")[:1000].split(","):
        match = _RANGE.fullmatch(one)
        known = match and {"en": "en", "zh": "zh", "*": "en"}.get(match[1].lower())
        if match and known and float(match[2] or 1) > weight:
            best, weight = ("zh" if known == "zh" else "en"), float(match[2] or 1)
    return best
