"""The words of the command line's answers, English and Chinese. Help texts are English."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from duly.clock import SystemClock, iso

_UNITS = {"s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGO = re.compile(r"(\d{1,6})(s|min|h|d)")

#: key: (English, Chinese); names in braces are filled in.
WORDS = {
    "scheduled": ("scheduled", "已排期"),
    "pending": ("pending", "等待中"),
    "blocked": ("blocked", "受限"),
    "running": ("running", "执行中"),
    "retry": ("retry", "等待重试"),
    "waiting": ("waiting", "已挂起"),
    "completed": ("completed", "已完成"),
    "failed": ("failed", "失败"),
    "cancelled": ("cancelled", "已取消"),
    "held": ("held", "暂存"),
    "sending": ("sending", "发送中"),
    "delivered": ("delivered", "已送达"),
    "dead": ("dead", "已放弃"),
    "lost": ("worker lost", "工作进程丢失"),
    "handed_back": ("handed back", "已退回"),
    "signalled": ("signal", "收到信号"),
    "woken": ("woken", "被唤醒"),
    "id": ("id", "编号"),
    "status": ("status", "状态"),
    "type": ("type", "类型"),
    "progress": ("done", "进度"),
    "age": ("age", "距今"),
    "took": ("took", "用时"),
    "note": ("note", "说明"),
    "queue": ("queue", "队列"),
    "owner": ("owner", "所有者"),
    "parent_id": ("parent", "父任务"),
    "children": ("children", "子任务"),
    "tags": ("tags", "标签"),
    "priority": ("priority", "优先级"),
    "attempt": ("attempt", "执行"),
    "version": ("code version", "代码版本"),
    "attempts": ("Attempts", "执行记录"),
    "steps": ("Steps", "步骤"),
    "timeline": ("Timeline", "时间线"),
    "jobs": ("External jobs", "外部任务"),
    "job": ("external job", "外部任务"),
    "external_id": ("id at the vendor", "外部编号"),
    "submitted": ("submitted", "已提交"),
    "poll_failed": ("a poll failed", "查询失败"),
    "not_final": ("called back, not final", "收到回调，尚未结束"),
    "answered": ("ended", "已结束"),
    "timed_out": ("not ended in time", "超时未结束"),
    "deliveries": ("Deliveries", "投递"),
    "result": ("Result", "结果"),
    "metadata": ("metadata", "元数据"),
    "created_at": ("created", "创建时间"),
    "started_at": ("started", "开始时间"),
    "completed_at": ("ended", "结束时间"),
    "due_at": ("due", "到期时间"),
    "deadline_at": ("deadline", "截止时间"),
    "retries": ("retries", "重试"),
    "error": ("error", "错误"),
    "outcome": ("outcome", "结局"),
    "step": ("step", "步骤"),
    "channel": ("channel", "渠道"),
    "target": ("target", "目标"),
    "last": ("last answer", "最近应答"),
    "none": (
        "No tasks here yet. Submit one: duly submit TYPE key=value",
        "还没有任务。提交一个：duly submit TYPE key=value",
    ),
    "nothing_fits": ("No task fits this.", "没有符合条件的任务。"),
    "newest": ("the newest {count}; --limit shows more", "最新 {count} 个；用 --limit 查看更多"),
    "accepted": ("accepted", "已受理"),
    "members": ("{ended} of {total} have ended", "{total} 个中已结束 {ended} 个"),
    "known": ("already known under this key", "该键对应的任务已存在"),
    "cancel_asked": ("asked to stop; it is cancelled once it has", "已请求停止；停止后即为已取消"),
    "said": ("told; its next wait for this signal takes it", "已告知；下一次等待该信号时取用"),
    "again": ("runs again; recorded steps are kept", "重新执行；已记录的步骤会保留"),
    "already": ("had ended before", "此前已结束"),
    "detached": (
        "the task goes on without you; look again: duly watch {id}",
        "任务仍在执行；继续查看：duly watch {id}",
    ),
    "not_ended": (
        "not ended within {seconds:g} s; look again: duly watch {id}",
        "{seconds:g} 秒内未结束；继续查看：duly watch {id}",
    ),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "page": ("p. {page}", "第{page}页"),
    "absent": ("not in the document", "文中未见"),
    "more": ("{count} more", "另有 {count} 项"),
    "name": ("name", "名称"),
    "when": ("when", "时间"),
    "next": ("next", "下次"),
    "last_at": ("last", "上次"),
    "every": ("every {span}", "每 {span}"),
    "in": ("in {span}", "{span}后"),
    "ago": ("{span} ago", "{span}前"),
    "now": ("now", "现在"),
    "paused": ("paused", "已暂停"),
    "by_code": ("declared in {source}", "由 {source} 声明"),
    "catch_up": ("catch up", "补执行"),
    "source": ("declared in", "声明于"),
    "last_task_id": ("last task", "最近任务"),
    "task_type": ("type", "类型"),
    "tenant": ("tenant", "租户"),
    "timeout": ("timeout, s", "时限（秒）"),
    "max_retries": ("retries", "重试"),
    "unique": ("unique", "唯一键"),
    "deliver": ("deliver", "投递至"),
    "updated_at": ("changed", "修改时间"),
    "input": ("input", "输入"),
    "no_schedules": (
        "No schedules here yet. Add one: duly schedule add NAME TYPE --cron '0 8 * * 1-5'",
        "还没有计划。添加一个：duly schedule add NAME TYPE --cron '0 8 * * 1-5'",
    ),
    "kept": ("kept; next: {at}", "已保存；下次：{at}"),
    "resumed": ("ticks again; next: {at}", "已恢复；下次：{at}"),
    "removed": ("removed; its tasks stay", "已删除；其任务保留"),
    "step_done": ("step {name}", "步骤 {name}"),
    "expires_at": ("kept until", "保留至"),
    "pruned": ("{count} ended tasks deleted", "已删除 {count} 个已结束的任务"),
    "would_prune": ("{count} ended tasks would be deleted", "将删除 {count} 个已结束的任务"),
    "prune_kept": (
        "{count} stay for now: an answer of theirs is still owed or unread, or their idempotency key stands",
        "{count} 个暂时保留：其结果尚未送达或未读，或其幂等键仍有效",
    ),
    "no_reserve": (
        "the disk has no room yet for the reserve {path}; a worker makes it once there is",
        "磁盘空间不足，暂无法重建预留文件 {path}；有空间后由工作进程重建",
    ),
    "total": ("total", "合计"),
    "state": ("state", "状态"),
    "open": ("open", "开放"),
    "paused_now": (
        "{queue} is paused: no task of it starts; {count} still run",
        "队列 {queue} 已暂停，不再开始新任务；仍有 {count} 个任务在执行",
    ),
    "queue_opened": ("{queue} is open: workers look at once", "队列 {queue} 已恢复，工作进程会立即取任务"),
    "still_running": ("{count} still run", "仍有 {count} 个任务在执行"),
    "drained": ("{queue} is paused, and nothing of it runs", "队列 {queue} 已暂停，且没有任务在执行"),
    "purged_count": ("cancelled: {count}", "已取消：{count} 个"),
    "limit": ("limit", "限额"),
    "concurrency": ("at once", "并发"),
    "rate": ("rate", "速率"),
    "limit_waiting": ("may wait", "可等待"),
    "set_by": ("set by {by}", "由 {by} 设定"),
    "no_limits": (
        "No limits. Set one: duly limit set queue/default --concurrency 10",
        "没有限额。设定一个：duly limit set queue/default --concurrency 10",
    ),
    "gate": ("model provider", "模型服务"),
    "until": ("until", "到"),
    "new": ("never asked", "尚未调用"),
    "closed": ("closed", "已暂停"),
    "half_open": ("to be tried", "待试探"),
    "probing": ("being tried", "试探中"),
    "ramping": ("opening", "恢复中"),
    "stopped": ("closed by hand", "已人工关闭"),
    "no_gates": (
        "No model providers. Add one to duly.toml: [llm.providers.NAME]",
        "没有模型服务。请在 duly.toml 中添加：[llm.providers.NAME]",
    ),
    "unblocked": ("may start", "可以开始"),
    "moved": ("moved to", "已移至"),
    "moved_count": ("moved: {count}", "已移动：{count} 个"),
    "retried_count": ("run again: {count}", "重新执行：{count} 个"),
    "more_fit": ("more fit; --limit takes more", "还有符合条件的任务；用 --limit 处理更多"),
    "role": ("role", "角色"),
    "scopes": ("scopes", "权限"),
    "expires": ("expires", "到期"),
    "used": ("last used", "最近使用"),
    "at": ("at", "时间"),
    "action": ("action", "操作"),
    "object": ("object", "对象"),
    "client": ("from", "来源"),
    "revoked_word": ("revoked", "已吊销"),
    "revoked": ("{id}  {name}: opens nothing any more", "{id}  {name}：已失效"),
    "key_shown_once": ("key {id}; it is not shown again:", "密钥 {id}，仅显示这一次："),
    "no_keys": ("No keys.", "没有密钥。"),
    "no_lines": ("Nothing was done.", "没有操作记录。"),
    "weight": ("weight", "权重"),
    "weighs": (
        "{owner} has weight {weight}, in tasks submitted from now on",
        "{owner} 的权重为 {weight}，对此后提交的任务生效",
    ),
    "weighs_no_more": ("{owner} has no weight of its own any more", "{owner} 的权重已清除"),
    "weighed_nothing": ("{owner} had no weight of its own", "{owner} 没有设置权重"),
    "success_rate": ("completed", "完成率"),
    "mean_of": ("mean duration", "平均用时"),
    "tried_again": ("retries", "重试次数"),
    "backlog": ("pending", "待处理"),
    "workers": ("workers", "工作进程"),
    "alarm": ("ALARM", "告警"),
    "alarm_failure_rate": ("percent failed", "失败率（%）过高"),
    "alarm_mean_duration": ("seconds in the mean", "平均用时（秒）过长"),
    "alarm_backlog": ("tasks are pending", "待处理任务过多"),
    "alarm_no_worker": ("workers live", "没有存活的工作进程"),
    "no_shares": (
        "No weight was given: all owners take equal turns.",
        "没有设置权重：所有用户轮流等额执行。",
    ),
    "calls": ("calls", "调用"),
    "tokens_in": ("tokens in", "输入 token"),
    "tokens_out": ("tokens out", "输出 token"),
    "cost": ("cost", "费用"),
    "day": ("day", "日期"),
    "provider": ("provider", "供应商"),
    "model": ("model", "模型"),
    "prompt": ("prompt", "提示词"),
    "no_calls": ("No model call was paid for.", "没有付费的模型调用。"),
    "url": ("url", "地址"),
    "secret": ("secret", "密钥"),
    "public_key": ("public key", "公钥"),
    "resent": ("to be sent again: {count}", "将重新投递：{count} 个"),
    "endpoint_removed": ("removed {id}", "已删除 {id}"),
    "no_endpoints": (
        "No endpoints: `duly endpoint add URL` makes one.",
        "还没有端点：用 duly endpoint add URL 添加。",
    ),
    "no_deliveries": ("No such deliveries.", "没有符合条件的投递。"),
    "empty_inbox": ("Nothing in this inbox.", "收件箱为空。"),
    "marked": ("marked: {count}; unread: {unread}", "已标记：{count} 条；未读：{unread} 条"),
    "no_queues": (
        "No queue yet: no worker has run and no task is here.",
        "还没有队列：没有工作进程运行过，也没有任务。",
    ),
    "copy_begins": ("looking at both databases", "正在检查两个数据库"),
    "copy_copy": ("copying {table}: {rows} rows", "正在复制 {table}：{rows} 行"),
    "copy_compare": ("comparing {table}: {rows} rows", "正在比对 {table}：{rows} 行"),
    "copy_verify": ("sealed; verifying {table}: {rows} rows", "已封存，正在校验 {table}：{rows} 行"),
    "copy_alike": (
        "kept up, {count} rows were new; Ctrl-C ends this",
        "已同步，本轮 {count} 行；按 Ctrl-C 结束",
    ),
    "copy_followed": (
        "The copy is alike up to now. The same command without --follow moves.",
        "副本已同步到此刻。去掉 --follow 再次运行即可迁移。",
    ),
    "seal_now": (
        "All is copied. Seal {place} now? It accepts nothing from then on.",
        "已全部复制。现在封存 {place}？此后它不再受理任务。",
    ),
    "not_moved": (
        "not moved: the source is as it was; the same command goes on from here",
        "未迁移：源数据库保持原样；再次运行同一命令即可继续",
    ),
    "moved_to": (
        "moved to {place}: {tasks} tasks, {rows} rows, all verified; sealed for {seconds:g} s",
        "已迁移到 {place}：{tasks} 个任务，共 {rows} 行，全部校验一致；封存用时 {seconds:g} 秒",
    ),
    "moved_back": (
        "{count} tasks were running; they are due again, at no cost of an attempt",
        "{count} 个任务当时正在执行，已重新排队，不计入重试",
    ),
    "moved_next": (
        "Set DULY_DATABASE_URL to the new database and start; {source} stays sealed (duly db unseal).",
        "把 DULY_DATABASE_URL 改为新数据库后启动；{source} 保持封存（duly db unseal 可撤销）。",
    ),
    "none_failed": ("No task has failed that fits this.", "没有符合条件的失败任务。"),
}


def language(asked: str | None, environ: Mapping[str, str] | None = None) -> str:
    """`en` or `zh`: as asked, else as the locale says."""
    environ = os.environ if environ is None else environ
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    return asked or ("zh" if locale.lower().startswith("zh") else "en")


def say(key: str, lang: str, **fields: object) -> str:
    """The words for `key`; a key that has none is its own word."""
    texts = WORDS.get(key)
    return key if texts is None else texts[lang == "zh"].format(**fields)


def moment_ago(text: str) -> str:
    """ISO 8601 of so long ago: `90s`, `30min`, `2h`, `7d`; any other text is left as it is."""
    found = _AGO.fullmatch(text)
    if found is None:
        return text
    return str(iso(SystemClock().now_ms() - int(found[1]) * _UNITS[found[2]]))


def span(milliseconds: float, lang: str) -> str:
    """A span of time as people say it, in at most six columns: 350 ms · 4.2 s · 3 min · 5 h · 12 d."""
    seconds = max(0.0, milliseconds / 1000)
    units = ("毫秒", "秒", "分", "小时", "天") if lang == "zh" else ("ms", "s", "min", "h", "d")
    if seconds < 1:
        return f"{seconds * 1000:.0f} {units[0]}"
    if seconds < 60:
        return f"{seconds:.1f} {units[1]}" if seconds < 9.95 else f"{seconds:.0f} {units[1]}"
    for limit, size, unit in ((7200, 60, units[2]), (172_800, 3600, units[3])):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} {units[4]}"
