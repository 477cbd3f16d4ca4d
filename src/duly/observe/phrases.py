"""The words of `why`: one line per reason in English and Chinese, and spans of time as people say them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

#: code: (English, Chinese). Names in braces come from the reason's data.
PHRASES = {
    "type_unknown": (
        "No handler for {task_type} is registered in this process.",
        "本进程没有注册 {task_type} 的处理程序。",
    ),
    "no_worker": (
        "No worker is running. Start one: duly worker.",
        "没有正在运行的工作进程。请启动：duly worker。",
    ),
    "no_carrier": (
        "No Celery worker is running. Start one: celery -A duly.runtime.celery_bridge worker.",
        "没有正在运行的 Celery 工作进程。请启动：celery -A duly.runtime.celery_bridge worker。",
    ),
    "no_sender": (
        "Nobody sends it to the Celery workers. With DULY_ENGINE=celery start: duly serve.",
        "没有进程将其发送给 Celery 工作进程。请设置 DULY_ENGINE=celery 并启动：duly serve。",
    ),
    "carried": (
        "A message with its id goes through the broker to a Celery worker; one that is lost is sent again.",
        "携带其 ID 的消息正经由消息中间件发往 Celery 工作进程；丢失的消息会重新发送。",
    ),
    "queue_paused": (
        "The queue {queue} has been paused for {span} (to open it: duly queue resume {queue}).",
        "队列 {queue} 已暂停 {span}（恢复：duly queue resume {queue}）。",
    ),
    "queue_paused_by": (
        "The queue {queue} was paused by {by} {span} ago (to open it: duly queue resume {queue}).",
        "队列 {queue} 已由 {by} 暂停 {span}（恢复：duly queue resume {queue}）。",
    ),
    "queue_not_served": (
        "No running worker serves the queue {queue} (running: {workers}).",
        "没有工作进程处理队列 {queue}（正在运行：{workers} 个）。",
    ),
    "type_not_served": (
        "No running worker of the queue {queue} has a handler for {task_type}.",
        "队列 {queue} 的工作进程都没有 {task_type} 的处理程序。",
    ),
    "version_not_served": (
        'It belongs to version "{version}" of {task_type}; no worker of {queue} has it (there: {versions}).',
        "它属于 {task_type} 的版本“{version}”，队列 {queue} 的工作进程都没有该版本（现有：{versions}）。",
    ),
    "next": (
        "It is next in the queue {queue} (workers that serve it: {workers}).",
        "它是队列 {queue} 的下一个任务，该队列有 {workers} 个工作进程。",
    ),
    "position": (
        "Tasks before it in the queue {queue}: {ahead}{plus} (workers that serve it: {workers}).",
        "队列 {queue} 中还有 {ahead}{plus} 个任务排在它前面；该队列有 {workers} 个工作进程。",
    ),
    "front_not_served": (
        "No worker has the code for the first {most} tasks of the queue {queue}; a claim looks no further.",
        "队列 {queue} 最前面的 {most} 个任务都没有工作进程能处理，领取任务时不会再往后查找。",
    ),
    "weight": (
        "Its owner has the weight {weight}: so many turns for each turn of others.",
        "其所有者的权重为 {weight}：其他人每轮到 1 次，该所有者轮到 {weight} 次。",
    ),
    "apart": (
        "Workers died in a row while it ran; it is run apart, at most {share} in one process.",
        "执行它的工作进程曾连续意外终止；它将被隔离执行，同一进程中最多 {share} 个任务。",
    ),
    "losses": (
        "Its worker died {losses} times while it ran alone; after {most} it fails.",
        "单独执行时，其工作进程已终止 {losses} 次；满 {most} 次则判为失败。",
    ),
    "lost": (
        "The worker of attempt {attempt} died; the task was given back, no retry was charged.",
        "第 {attempt} 次执行的工作进程已终止；任务已退回队列，不计入重试。",
    ),
    "handed_back": (
        "The worker of attempt {attempt} gave the task back, uncharged.",
        "第 {attempt} 次执行被工作进程退回，不计入重试。",
    ),
    "blocked": ("It waits for the limit {limit}.", "正在等待限额 {limit}。"),
    "limit_full": (
        "The limit {limit} is full: {running} of at most {cap} run; it starts when one of them ends.",
        "限额 {limit} 已满：最多同时执行 {cap} 个，正在执行 {running} 个；有任务结束时开始执行。",
    ),
    "limit_rate": (
        "The limit {limit} lets {rate} start; the next may start at {at}, in {span}.",
        "限额 {limit} 的速率为 {rate}；下一个可于 {at} 开始，还有 {span}。",
    ),
    "limit_room": (
        "The limit {limit} has room; within seconds it stands in line again.",
        "限额 {limit} 已有空位；数秒内将重新排队。",
    ),
    "blocked_before": (
        "Tasks before it that wait for {limit}: {ahead}{plus}.",
        "等待 {limit} 的任务中，还有 {ahead}{plus} 个排在它前面。",
    ),
    "gate_closed": (
        "The model provider {gate} is closed until {at}, for {span} more ({code}).",
        "模型服务 {gate} 已暂停到 {at}，还有 {span}（{code}）。",
    ),
    "gate_probed": (
        "One request finds out whether the model provider {gate} answers again ({code}).",
        "正由一个请求试探模型服务 {gate} 是否恢复（{code}）。",
    ),
    "gate_held": (
        "The model provider {gate} was closed by {by} (to open it: duly gate open {gate}).",
        "模型服务 {gate} 已由 {by} 关闭（恢复：duly gate open {gate}）。",
    ),
    "gate_held_until": (
        "The model provider {gate} was closed by {by} until {at}, for {span} more.",
        "模型服务 {gate} 已由 {by} 关闭到 {at}，还有 {span}。",
    ),
    "gate_open": (
        "The model provider {gate} may be asked again.",
        "模型服务 {gate} 已可再次调用。",
    ),
    "scheduled": ("It is scheduled for {at}, in {span}.", "计划于 {at} 开始，还有 {span}。"),
    "retry": (
        "Attempt {attempt} failed; retry {retry} of {max_retries} is due in {span}.",
        "第 {attempt} 次执行失败；第 {retry} 次重试（最多 {max_retries} 次）将在 {span}后进行。",
    ),
    "snoozed": ("It sleeps until {at}, for {span} more.", "已暂缓到 {at}，还有 {span}。"),
    "waiting": ("It waits: {kind}.", "正在等待：{kind}。"),
    "sleeping": (
        "It sleeps ({name}) until {at}, for {span} more.",
        "正在休眠（{name}），到 {at} 为止，还有 {span}。",
    ),
    "signal": (
        "It waits for the signal {signal}. Send it: duly signal ID {signal}.",
        "正在等待信号 {signal}。发送：duly signal ID {signal}。",
    ),
    "signal_until": (
        "It waits for the signal {signal} until {at}, for {span} more. Send it: duly signal ID {signal}.",
        "正在等待信号 {signal}，到 {at} 为止，还有 {span}。发送：duly signal ID {signal}。",
    ),
    "job": (
        "It waits for the external job {external_id} ({name}), polled again at {at}, in {span}.",
        "正在等待外部任务 {external_id}（{name}），将于 {at} 再次查询，还有 {span}。",
    ),
    "job_poll_failed": (
        "The last {failures} polls of {external_id} failed.",
        "最近 {failures} 次查询 {external_id} 均失败。",
    ),
    "job_deadline": (
        "If {external_id} has not ended by {at}, in {span}, the wait for it is over.",
        "若 {external_id} 在 {at}（还有 {span}）前未结束，则不再等待。",
    ),
    "children": (
        "It waits for {left} of {children} children to end ({name}). List them: duly ls --parent {id}.",
        "正在等待子任务结束（{name}）：共 {children} 个子任务，还有 {left} 个。查看：duly ls --parent {id}。",
    ),
    "family": ("Its children: {counts}.", "它的子任务：{counts}。"),
    "items": ("Items of the map {name}: {counts}.", "映射 {name} 的条目：{counts}。"),
    "child_of": ("It is a child of the task {parent}.", "它是任务 {parent} 的子任务。"),
    "running": (
        "Attempt {attempt} has been running for {span} on {host} (process {pid}).",
        "第 {attempt} 次执行已在 {host}（进程 {pid}）上运行 {span}。",
    ),
    "progress": ("Progress: {percent} %.", "进度：{percent} %。"),
    "last_event": ("Last sign of life: {type}, {span} ago.", "最近一次动态：{type}，{span}前。"),
    "cancel_requested": (
        "A cancel was asked for {span} ago; the attempt has not stopped yet.",
        "{span}前已请求取消；本次执行尚未停止。",
    ),
    "lease_expired": (
        "The lease of its worker ran out {span} ago; the task will be rescued within seconds.",
        "其工作进程的租约已于 {span}前过期；任务将在数秒内被收回。",
    ),
    "session_ended": (
        "The worker of attempt {attempt} has ended; the task will be rescued within seconds.",
        "第 {attempt} 次执行的工作进程已结束；任务将在数秒内被收回。",
    ),
    "deadline": (
        "If it is not done by {at}, in {span}, it fails.",
        "若在 {at}（还有 {span}）前未完成，则失败。",
    ),
    "completed": ("It completed {span} ago.", "已于 {span}前完成。"),
    "failed": (
        "It failed {span} ago, in attempt {attempt}.",
        "已于 {span}前失败（第 {attempt} 次执行）。",
    ),
    "cancelled": ("It was cancelled {span} ago.", "已于 {span}前取消。"),
    "kept": (
        "It is kept until {at}, for {span} more.",
        "保留至 {at}，还有 {span}。",
    ),
    "kept_over": (
        "Its time is over: it is deleted within minutes, once it owes no answer.",
        "保留期已过：结果全部送达后，将在数分钟内删除。",
    ),
    "delivery_due": (
        "Its answer to {target} ({channel}) is being sent next.",
        "发往 {target}（{channel}）的结果即将发送。",
    ),
    "delivery_retry": (
        "Its answer to {target} ({channel}) has not arrived (sends: {sends}); the next try is in {span}.",
        "发往 {target}（{channel}）的结果已失败 {sends} 次；{span}后再试。",
    ),
    "delivery_sending": (
        "Its answer to {target} ({channel}) is being sent now.",
        "发往 {target}（{channel}）的结果正在发送。",
    ),
    "delivery_dead": (
        "Its answer to {target} ({channel}) was given up (sends: {sends}).",
        "发往 {target}（{channel}）的结果在发送 {sends} 次后已放弃。",
    ),
}

_UNITS = ((86_400, "d", "天"), (3_600, "h", "小时"), (60, "min", "分钟"), (1, "s", "秒"))


def phrase(code: str, data: Mapping[str, Any], *, zh: bool) -> str:
    """The reason's one line: `span_ms` becomes {span} in words, `detail` stands at the end."""
    words = {key: one_line(value) if isinstance(value, str) else value for key, value in data.items()}
    if isinstance(words.get("at"), str):
        words["at"] = _read_aloud(words["at"])
    length, form = span(int(data.get("span_ms") or 0), zh=zh), PHRASES[code][zh]
    if zh and not length[0].isdigit():  # no space between two characters
        form = form.replace(" {span}", "{span}")
    text = form.format(**words, span=length)
    if words.get("detail"):
        return f"{text[:-1]}{'：' if zh else ': '}{words['detail']}{text[-1]}"
    return text


def _read_aloud(at: str) -> str:
    """A moment as people write it, to the second: `2026-12-30 05:37:51 UTC`."""
    return f"{at[:10]} {at[11:19]} UTC" if at.endswith("Z") else at


def span(milliseconds: int, *, zh: bool = False) -> str:
    """A length of time in its two largest units: `2 h 3 min`, `12 s`."""
    rest, parts = max(0, milliseconds) // 1000, []
    for seconds, en, chinese in _UNITS:
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count} {chinese if zh else en}")
    return " ".join(parts[:2]) or ("不到 1 秒" if zh else "less than 1 s")


def one_line(text: str, limit: int = 300) -> str:
    """Any text on one line, without what is not printable and without its final full stop."""
    flat = " ".join("".join(one if one.isprintable() else " " for one in text[: limit + 1]).split())
    return (flat if len(flat) <= limit else f"{flat[:limit]}…").rstrip(".。")
