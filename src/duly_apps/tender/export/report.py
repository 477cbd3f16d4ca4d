"""What stands in an exported result, of an analysis or a split, before it is written in any format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from duly_apps.tender.workload.kinds import ROLES, TITLES

Cell = str | float | int | None
#: What XML cannot hold: a file with one of these does not open.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a title; `widths` in characters, for paper and screen alike."""

    title: str
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    rows: list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One document: its name, what is known of it, what was found, and what was not looked for."""

    title: str
    about: list[tuple[str, str]]
    summary: str
    tables: list[Table]
    limits_title: str
    limits: list[str]


def report(result: dict[str, Any]) -> Report:
    """From the result of `bidding_analysis` or `workload_split`, in the language of its document."""
    at = 0 if result["document"].get("language") == "zh" else 1
    split = "items" in result
    kind = (("工作量拆分", "Workload"), ("标书分析", "Tender analysis"))[not split][at]
    return Report(
        title=clean(
            f"{kind}: {result['document']['name']}" if at else f"{kind}：{result['document']['name']}"
        ),
        about=_about(result, at),
        summary=clean(result["summary"]),
        tables=_work(result, at) if split else [_tab(tab, at) for tab in result["tabs"]],
        limits_title=("说明与局限", "Limits")[at],
        limits=[clean(limit) for limit in result["limits"]],
    )


def clean(text: object) -> str:
    """The text without what XML cannot hold."""
    return _NOT_XML.sub("", str(text))


def _about(result: dict[str, Any], at: int) -> list[tuple[str, str]]:
    document = result["document"]
    made = f"{result['engine']} ({result['method']} {result['version']})"
    rows = [
        (("文件", "Document"), document["name"]),
        (("页数", "Pages"), document["pages"]),
        (("字符数", "Characters"), document["characters"]),
        (("SHA-256", "SHA-256"), document["sha256"]),
        (("引擎", "Engine"), made),
        (("提示", "Warnings"), "; ".join(document["warnings"])),
    ]
    return [(label[at], clean(value)) for label, value in rows if value not in (None, "")]


def _tab(tab: dict[str, Any], at: int) -> Table:
    columns = (("事项", "Fact"), ("内容", "Value"), ("位置", "Place"), ("原文", "Quote"))
    absent = ("未识别", "not found")[at]
    rows: list[tuple[Cell, ...]] = [
        (
            clean(item["label"]),
            clean(absent if item["value"] is None else item["value"]),
            place(item, at),
            clean(item["quote"] or ""),
        )
        for item in tab["items"]
    ]
    return Table(
        title=clean(tab["title"]),
        columns=tuple(one[at] for one in columns),
        widths=(16, 40, 10, 60),
        rows=rows,
    )


def place(item: dict[str, Any], at: int) -> str:
    """Where an item stands: the page of a PDF, sheet and row of an XLSX, the paragraph of anything else."""
    if item["page"] is not None and item["paragraph"] is not None:
        return (f"表{item['page']}第{item['paragraph']}行", f"sheet {item['page']}, row {item['paragraph']}")[
            at
        ]
    if item["page"] is not None:
        return (f"第{item['page']}页", f"p. {item['page']}")[at]
    return "" if item["paragraph"] is None else (f"第{item['paragraph']}段", f"¶ {item['paragraph']}")[at]


def _work(result: dict[str, Any], at: int) -> list[Table]:
    return [_items(result["items"], at), _roles(result["totals"], at)]


def _items(items: list[dict[str, Any]], at: int) -> Table:
    columns = (
        (("编号", "Id"), 8),
        (("模块", "Module"), 16),
        (("工作项", "Work item"), 36),
        (("类型", "Kind"), 16),
        (("最少人天", "Days, low"), 10),
        (("最多人天", "Days, high"), 10),
        (("角色", "Roles"), 30),
        (("依赖", "Waits for"), 14),
        (("假设", "Assumptions"), 40),
        (("位置", "Place"), 10),
        (("原文", "Quote"), 60),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            item["id"],
            clean(item["module"] or ""),
            clean(item["title"]),
            TITLES[item["kind"]][at] if item["kind"] in TITLES else clean(item["kind"]),
            item["estimate"]["low"],
            item["estimate"]["high"],
            _shares(item["roles"], at),
            " ".join(link["id"] for link in item["depends_on"]),
            clean("\n".join(item["assumptions"])),
            place(item, at),
            clean(item["quote"]),
        )
        for item in items
    ]
    return Table(
        title=("工作项", "Work items")[at],
        columns=tuple(label[at] for label, _ in columns),
        widths=tuple(width for _, width in columns),
        rows=rows,
    )


def _shares(roles: list[dict[str, Any]], at: int) -> str:
    return "\n".join(f"{ROLES[one['role']][at]} {one['low']:.12g}–{one['high']:.12g}" for one in roles)


def _roles(totals: dict[str, Any], at: int) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (ROLES[one["role"]][at], one["low"], one["high"]) for one in totals["roles"]
    ]
    rows.append((("合计", "Total")[at], totals["low"], totals["high"]))
    chain = totals["chain"]
    longest = ("最长依赖链", "Longest chain")[at]
    rows.append((f"{longest} {' → '.join(chain['ids'])}".strip(), chain["low"], chain["high"]))
    columns = (("角色", "Role"), ("最少人天", "Days, low"), ("最多人天", "Days, high"))
    return Table(
        title=("角色合计", "By role")[at],
        columns=tuple(one[at] for one in columns),
        widths=(40, 12, 12),
        rows=rows,
    )
