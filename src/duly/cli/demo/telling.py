"""The demo's words, English and Chinese; every figure in them was measured in the run that prints them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from duly.cli.screen import Screen

WORDS = {
    "starting": ("Starting duly serve in a temporary folder …", "正在临时目录中启动 duly serve ……"),
    "serving": ("serving at {url}", "服务地址 {url}"),
    "accepted": (
        "{name} ({size:,} bytes) was accepted in {ms} ms: task {id}",
        "{name}（{size:,} 字节）已在 {ms} 毫秒内受理：任务 {id}",
    ),
    "killed": (
        "the connection broke: process {pid} was killed (SIGKILL); its supervisor starts another",
        "连接中断：进程 {pid} 被强制终止（SIGKILL）；守护进程正在启动新进程",
    ),
    "given_back": (
        "the task was given back with {steps} steps on record",
        "任务已退回队列，已有 {steps} 个步骤记录在案",
    ),
    "step": ("  ✓ {name}  (attempt {attempt}, {took})", "  ✓ {name}  （第 {attempt} 次执行，{took}）"),
    "resumed": (
        "attempt {attempt} goes on, {after} after the last recorded step",
        "第 {attempt} 次执行从断点继续，距最后记录的步骤 {after}",
    ),
    "record": (
        "{kept} of {steps} steps read from the record, {recomputed} recomputed",
        "{steps} 个步骤中有 {kept} 个从记录中读取，{recomputed} 个重新计算",
    ),
    "findings": (
        "{count} findings, {quoted} of them with place and quote",
        "共 {count} 项要点，其中 {quoted} 项附出处与原文",
    ),
    "webhook": (
        "a signed webhook tells that the task has ended; its signature holds: {id}",
        "已收到签名的 webhook 通知：任务已结束，签名验证通过：{id}",
    ),
    "next": ("Try next:", "接下来可以："),
    "next_serve": ("API, worker and deliveries in one command", "一条命令启动接口、工作进程和投递"),
    "next_submit": ("hand in a document of your own", "提交你自己的文档"),
    "next_why": ("ask why a task is where it is", "查询某个任务为何处于当前状态"),
}

NEXT = (
    ("serve --apps tender", "next_serve"),
    ("submit bidding_analysis --file tender.pdf --apps tender --wait", "next_submit"),
    ("why ID", "next_why"),
)


def say(screen: Screen, key: str, **fields: object) -> None:
    """One line of the story."""
    screen.show(words(screen, key, **fields))


def words(screen: Screen, key: str, **fields: object) -> str:
    """A phrase in the screen's language."""
    return WORDS[key][screen.language == "zh"].format(**fields)


def say_next(screen: Screen) -> None:
    """Three things to try."""
    screen.show("", words(screen, "next"))
    for command, key in NEXT:
        screen.show(f"  {_program()} {command}", f"      {words(screen, key)}")


def _program() -> str:
    """How this reader calls Duly: `make demo` puts nothing on the PATH."""
    if shutil.which("duly"):
        return "duly"
    place = Path(sys.executable).with_name("duly")
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else str(place)
