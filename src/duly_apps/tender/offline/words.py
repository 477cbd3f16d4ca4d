"""What the findings are called, in the language of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duly_apps.tender.language import Language

TITLES: dict[str, tuple[str, str]] = {
    "project": ("项目概况", "Project"),
    "budget": ("预算与保证金", "Budget"),
    "deadlines": ("时间节点", "Deadlines"),
    "qualification": ("资格要求", "Qualification"),
    "scoring": ("评分办法", "Scoring"),
    "deliverables": ("交付与服务", "Deliverables"),
    "risks": ("风险条款", "Risks"),
}
LABELS: dict[str, tuple[str, str]] = {
    "name": ("项目名称", "Project name"),
    "number": ("项目编号", "Reference"),
    "purchaser": ("采购人", "Purchaser"),
    "agency": ("采购代理机构", "Procurement agency"),
    "procedure": ("采购方式", "Procedure"),
    "budget": ("预算金额", "Budget"),
    "ceiling": ("最高限价", "Maximum price"),
    "bid_bond": ("投标保证金", "Bid security"),
    "performance_bond": ("履约保证金", "Performance security"),
    "bid_deadline": ("投标截止时间", "Submission deadline"),
    "opening": ("开标时间", "Opening"),
    "documents": ("招标文件获取时间", "Documents available"),
    "questions": ("提问截止时间", "Questions until"),
    "validity": ("投标有效期", "Tender validity"),
    "consortium": ("联合体投标", "Consortium"),
    "requirement": ("资格条件", "Requirement"),
    "method": ("评标办法", "Method"),
    "criterion": ("评分项", "Criterion"),
    "total": ("分值合计", "Total"),
    "period": ("交付期", "Delivery period"),
    "place": ("交付地点", "Place of delivery"),
    "warranty": ("质保期", "Warranty"),
    "payment": ("付款方式", "Payment"),
    "scope": ("交付成果", "Deliverables"),
    "item": ("采购清单", "Item"),
    "starred": ("实质性条款（★/▲）", "Mandatory clause (★/▲)"),
    "rejection": ("否决投标情形", "Ground for rejection"),
    "damages": ("违约金", "Liquidated damages"),
    "forfeit": ("保证金不予退还", "Security forfeited"),
    "termination": ("解除合同", "Termination"),
}
NOT_FOUND = ("未识别", "not found")
LIMITS = (
    (
        "未使用语言模型：由规则从原文中提取，未找到的项目为 null（未识别）。",
        "No language model: found by rules in the text; what is not found is null.",
    ),
    (
        "措辞不常见的条款、图片和附件中的内容可能漏检，投标前请核对原文。",
        "Unusual wording, pictures and annexes may be missed: check against the original.",
    ),
)


def say(words: tuple[str, str], language: Language) -> str:
    """The Chinese or the English of a pair."""
    return words[0] if language == "zh" else words[1]
