"""The particulars of a problem in Chinese: sentences that Duly and pydantic write, known by their pattern.

What no pattern knows is told by what its code means, and the English behind it: no particular is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from duly.http.meanings import MEANINGS

#: A pattern of a whole English sentence to its Chinese; groups are kept as they are.
_SENTENCES = {
    # pydantic's findings
    r"unknown key": "未知字段",
    r"Extra inputs are not permitted": "未知字段",
    r"Field required": "缺少该字段",
    r"Input should be a valid string": "必须是字符串",
    r"Input should be a valid integer.*": "必须是整数",
    r"Input should be a valid (?:number|finite number).*": "必须是数字",
    r"Input should be a finite number": "必须是有限的数字",
    r"Input should be a valid boolean.*": "必须是 true 或 false",
    r"Input should be a valid (?:list|array)": "必须是数组",
    r"Input should be a valid (?:dictionary|object)": "必须是对象",
    r"Input should be less than or equal to (.+)": r"不能大于 \1",
    r"Input should be greater than or equal to (.+)": r"不能小于 \1",
    r"Input should be less than (.+)": r"必须小于 \1",
    r"Input should be greater than (.+)": r"必须大于 \1",
    r"Input should be (.+)": r"只能是 \1",
    r"String should have at most (\d+) characters?": r"最多 \1 个字符",
    r"String should have at least (\d+) characters?": r"至少 \1 个字符",
    r"String should match pattern (.+)": r"必须符合格式 \1",
    r"a request has at most (\d+) headers": r"请求头最多 \1 个",
    r"headers have at most (\d+) bytes in all": r"请求头合计最多 \1 字节",
    r"a query has at most (\d+) bytes": r"查询参数最多 \1 字节",
    r"List should have at most (\d+) items? .*": r"最多 \1 项",
    r"List should have at least (\d+) items? .*": r"至少 \1 项",
    # Duly's own
    r"unknown task type (.+); known: (.+)": r"未知的任务类型 \1；已注册：\2",
    r"(\d+) of (\d+) tasks cannot be accepted: (.+)": r"\2 个任务中有 \1 个无法接受：\3",
    r"the batch holds (\d+) tasks and the quota of (?:this owner|this tenant|the queue (.+)) is (\d+): .+": (
        r"该批量任务有 \1 个任务，而配额只有 \3 个，永远无法接受，请拆分后提交"
    ),
    r"there is no (?:task|batch) (.+)": r"任务 \1 不存在",
    r"another task holds the unique key of task (.+); retry it once that has ended": (
        r"另一个任务正占用任务 \1 的唯一键，待其结束后再重试"
    ),
    r"(.+) takes no quota: that is of a queue, an owner or a tenant": (
        r"\1 没有配额：配额只用于队列、用户或租户"
    ),
    r"there is no schedule (.+)": r"计划 \1 不存在",
    r"there is no gate (.+); duly gate ls shows those that there are": r"模型闸门 \1 不存在",
    r"a gate is closed for up to a year, not (.+) seconds": r"模型闸门最多关闭一年，不能是 \1 秒",
    r"there is a schedule (.+) already": r"计划 \1 已存在",
    r"there is no upload (.+)": r"上传的文件 \1 不存在",
    r"the body must be a JSON object": "请求体必须是 JSON 对象",
    r"the body is larger than (\d+) bytes": r"请求体超过 \1 字节",
    r"the body has (\d+) bytes; the limit is (\d+)": r"请求体有 \1 字节，上限为 \2 字节",
    r"the upload is larger than (\d+) bytes": r"上传的文件超过 \1 字节",
    r"the upload is empty": "上传的文件为空",
    r"the body is not JSON": "请求体不是 JSON",
    r"the JSON is nested deeper than (\d+) levels": r"JSON 嵌套超过 \1 层",
    r"the JSON begins with a byte order mark": "JSON 以字节顺序标记（BOM）开头",
    r"the body is not UTF-8 \(byte (\d+)\)": r"请求体不是 UTF-8（第 \1 字节）",
    r"not JSON: .+ \(line (\d+) column (\d+)\)": r"不是有效的 JSON（第 \1 行第 \2 列）",
    r"(.+) is not a JSON number": r"\1 不是 JSON 数字",
    r"the number (.+) is beyond .+": r"数字 \1 超出 ±(2^53 - 1)，请以字符串发送",
    r"the number (.+) is out of range; .+": r"数字 \1 超出范围，请以字符串发送",
    r"the key (.+) stands twice in one object": r"对象中的键 \1 重复出现",
    r"a string holds U\+0000": "字符串中含有 U+0000",
    r"a string holds a lone surrogate": "字符串中含有不成对的代理字符",
    r"send the body as application/json in UTF-8": "请以 UTF-8 编码的 application/json 发送请求体",
    r"compressed bodies are not accepted": "不接受压缩的请求体",
    r"duly\.bulk is not submitted; .+": "duly.bulk 不能直接提交，请使用 POST /api/bulk 或 `duly bulk`",
    r"a queue or a priority is for `move` only": "只有 move 才能指定队列或优先级",
    r"deadline lies in the past": "deadline 已经过去",
    r"by: (.+) is none of (.+)": r"by：\1 不在 \2 之中",
    r"(since|until) is a day, as (\S+), not (.+)": r"\1 必须是日期，例如 \2，而不是 \3",
    r"priority must be 1\.\.10, not (.+)": r"priority 必须是 1..10，而不是 \1",
    r"max_retries must be 0\.\.100, not (.+)": r"max_retries 必须是 0..100，而不是 \1",
    r"(\w+) must be a whole number, not (.+)": r"\1 必须是整数，而不是 \2",
    r"(\w+) must be a list": r"\1 必须是数组",
    r"(\w+) must be an object": r"\1 必须是对象",
    r"(\w+) must not be empty": r"\1 不能为空",
    r"(.+) must be text of at most (\d+) characters": r"\1 必须是最多 \2 个字符的文本",
    r"(.+) holds a control character or a lone surrogate": r"\1 含有控制字符或不成对的代理字符",
    r"Idempotency-Key was sent more than once": "Idempotency-Key 出现了不止一次",
    r"only an administrator may name another owner or tenant": "只有管理员可以指定其他用户或租户",
    r"only an administrator may do this": "只有管理员可以执行此操作",
    r"task (.+) is (\w+); only a failed or cancelled task can be retried": (
        r"任务 \1 的状态是 \2，只有失败或已取消的任务可以重试"
    ),
    r"task (.+) is (\w+); it takes no signals any more": r"任务 \1 的状态是 \2，不再接收信号",
    r"task (.+) is (\w+); only a completed task has a result": (
        r"任务 \1 的状态是 \2，只有已完成的任务才有结果"
    ),
    r"the file has (\d+) bytes": r"文件共 \1 字节",
    r"too many requests; come back in (\d+) s": r"请求过于频繁，请在 \1 秒后重试",
    r"the server is draining": "服务器正在停止接收请求",
    r"the database cannot be used now": "数据库暂时不可用",
    r"the database did not answer within (.+) seconds": r"数据库在 \1 秒内没有响应",
    r"the database is of another revision than this server": "数据库的版本与此服务器不符",
    r"the disk of the database is nearly full": "数据库所在磁盘的空间即将用尽",
    r"Not Found": "该地址不存在",
    r"Method Not Allowed": "此地址不支持该请求方法",
}
_PATTERNS = [(re.compile(pattern, re.DOTALL), to) for pattern, to in _SENTENCES.items()]
_LONGEST = 2000


def sentence(english: str) -> str | None:
    """The sentence in Chinese; None when no pattern knows it."""
    for pattern, to in _PATTERNS if len(english) <= _LONGEST else ():
        if match := pattern.fullmatch(english):
            return match.expand(to)
    return None


def detail(code: str, english: str) -> str:
    """A problem's `detail` in Chinese."""
    if (known := sentence(english)) is not None:
        return f"{known}。"
    meaning = MEANINGS.get(code)
    if meaning is None:
        return f"请求失败：{english}"
    return meaning.zh if english in ("", meaning.en) else f"{meaning.zh}（{english}）"


def error(one: Mapping[str, str]) -> dict[str, str]:
    """One of a problem's `errors` in Chinese; its pointer stays."""
    said = one.get("detail", "")
    return {**one, "detail": sentence(said) or said}
