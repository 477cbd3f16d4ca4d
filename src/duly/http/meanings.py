"""What each code of a problem means and what to do, in English and Chinese; `/problems/<code>` shows it."""

from __future__ import annotations

from typing import NamedTuple


class Meaning(NamedTuple):
    """The usual HTTP status of a code, and a sentence for people in each language."""

    status: int
    en: str
    zh: str


MEANINGS: dict[str, Meaning] = {
    "bad_cursor": Meaning(
        400,
        "The cursor is damaged, or belongs to another list or caller; begin again at the first page.",
        "分页游标已损坏，或属于其他列表或用户，请从第一页重新开始。",
    ),
    "bad_digest": Meaning(
        400,
        "The bytes that came are not those that the digest names; send them again.",
        "收到的内容与摘要不符，请重新发送。",
    ),
    "bad_header": Meaning(
        400, "A request header cannot be read; correct it.", "请求头无法解析，请修改后重试。"
    ),
    "bad_link": Meaning(
        403, "The link has expired or was changed; ask for a new one.", "链接已过期或被改动，请重新获取。"
    ),
    "bad_request": Meaning(400, "The request cannot be read; correct it.", "请求无法解析，请修改后重试。"),
    "batch_too_large": Meaning(
        422,
        "The batch holds more tasks than a quota allows to wait; send smaller batches.",
        "批量任务的数量超过了等待任务的配额，请拆分后提交。",
    ),
    "callback_not_found": Meaning(404, "There is no such callback.", "回调不存在。"),
    "csrf": Meaning(
        403,
        "Send the header X-CSRF-Token as /api/session answers it, from a page of this server.",
        "请从本站页面发送请求，并带上 /api/session 返回的 X-CSRF-Token 请求头。",
    ),
    "delivery_not_found": Meaning(404, "There is no such delivery.", "投递不存在。"),
    "empty_upload": Meaning(422, "The upload has no bytes; send the file.", "上传的文件为空，请重新上传。"),
    "endpoint_not_found": Meaning(404, "There is no such endpoint.", "投递端点不存在。"),
    "forbidden": Meaning(403, "These credentials do not allow this.", "当前凭证无权执行此操作。"),
    "foreign_host": Meaning(
        400, "The server answers to loopback names only; call it as 127.0.0.1.", "服务器只接受本机主机名。"
    ),
    "foreign_origin": Meaning(
        403, "Pages of other sites may not call this API.", "不接受其他网站的页面发起的请求。"
    ),
    "gate_not_found": Meaning(404, "There is no such gate.", "模型闸门不存在。"),
    "headers_too_large": Meaning(
        431,
        "Headers or query are larger than any client needs; send less.",
        "请求头或查询参数过大，请精简后重试。",
    ),
    "idempotency_conflict": Meaning(
        422,
        "This idempotency key was used with another body; send the first body or a new key.",
        "该幂等键已用于不同的请求，请发送原来的请求体或换用新的键。",
    ),
    "internal_error": Meaning(
        500,
        "The server met an error it did not expect; it is in its log.",
        "服务器遇到意外错误，详情已记入日志。",
    ),
    "invalid_input": Meaning(
        422, "The input cannot be accepted; correct it and send it again.", "输入无效，请修改后重新提交。"
    ),
    "key_not_found": Meaning(404, "There is no such API key.", "API 密钥不存在。"),
    "limit_not_found": Meaning(404, "There is no such limit.", "限额不存在。"),
    "malformed_json": Meaning(
        400, "The body is not the JSON that Duly accepts.", "请求体不是可接受的 JSON。"
    ),
    "method_not_allowed": Meaning(
        405,
        "This address does not answer that method; Allow names those it does.",
        "此地址不支持该请求方法。",
    ),
    "moved": Meaning(
        503,
        "This installation moves to another database; send the call again, there soon.",
        "系统正在迁移到另一个数据库，请稍后重试。",
    ),
    "not_allowed": Meaning(
        401,
        "Credentials are missing or wrong; pass `Authorization: Bearer` with a token.",
        "缺少凭证或凭证无效，请在 Authorization: Bearer 中提供令牌。",
    ),
    "not_found": Meaning(404, "There is nothing at this address.", "该地址不存在。"),
    "not_json": Meaning(422, "The input holds what JSON cannot keep.", "输入中含有 JSON 无法保存的内容。"),
    "not_ready": Meaning(
        503,
        "The database cannot be used now; the call may be sent again.",
        "数据库暂时不可用，请稍后重试。",
    ),
    "queue_full": Meaning(
        503, "Too many tasks wait in this queue; send it again later.", "队列中等待的任务过多，请稍后重试。"
    ),
    "queue_not_found": Meaning(
        404, "There is no such queue: no worker has served it and no task is in it.", "队列不存在。"
    ),
    "quota_exceeded": Meaning(
        429,
        "Too many tasks of this owner or tenant wait to start; send it again later.",
        "该用户或租户等待中的任务过多，请稍后重试。",
    ),
    "range_not_satisfiable": Meaning(
        416, "The file has no such bytes; Content-Range says how many it has.", "文件中没有所请求的字节范围。"
    ),
    "rate_limited": Meaning(
        429, "Too many requests; Retry-After says when to come back.", "请求过于频繁，请稍后重试。"
    ),
    "request_timeout": Meaning(
        408,
        "The request did not arrive in time; the connection is closed.",
        "请求未在时限内到达，连接已关闭。",
    ),
    "schedule_declared": Meaning(
        409, "The code declares this schedule; it can be paused only.", "该计划由代码声明，只能暂停。"
    ),
    "schedule_not_found": Meaning(404, "There is no such schedule.", "计划不存在。"),
    "schedule_taken": Meaning(409, "There is a schedule of this name already.", "该名称已被其他计划占用。"),
    "schema_outdated": Meaning(
        503,
        "The database's schema is not this version's; run `duly db upgrade`.",
        "数据库结构版本不符，请运行 duly db upgrade。",
    ),
    "state_conflict": Meaning(409, "The task's state does not allow this.", "任务当前状态不允许此操作。"),
    "task_not_found": Meaning(404, "There is no such task.", "任务不存在。"),
    "too_large": Meaning(
        413,
        "The body is larger than the limit; send a reference or upload a file.",
        "内容超过大小限制，请改为上传文件或发送引用。",
    ),
    "too_many_streams": Meaning(
        429,
        "Too many streams of this caller are open here; close one, or share one among tabs.",
        "该调用者打开的实时流过多，请关闭一些，或在多个标签页间共享。",
    ),
    "unique_taken": Meaning(
        409, "Another task of this type holds this unique key.", "唯一键已被另一个任务占用。"
    ),
    "unknown_blob": Meaning(
        404, "There is no such upload, or it was deleted as nobody used it.", "上传的文件不存在或已被清理。"
    ),
    "unknown_task_type": Meaning(
        422,
        "No handler is registered under this name; `duly doctor` lists those that are.",
        "没有注册该任务类型的处理程序。",
    ),
    "unsupported_database": Meaning(
        503, "Duly cannot keep its promise on this database.", "不支持使用该数据库。"
    ),
    "unsupported_media_type": Meaning(
        415, "Send the body in another media type, uncompressed.", "不支持的内容类型或压缩方式。"
    ),
}
