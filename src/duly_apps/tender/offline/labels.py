"""What the facts are called in tender documents: regular expressions, Chinese (both scripts) and English."""

from __future__ import annotations

_BIDS = "(?:tenders|bids|proposals)"
_WORDS: dict[str, tuple[str, ...]] = {
    "name": (
        "(?:采购)?项目名称|工程名称|標案名稱",
        "project (?:name|title)|title of (?:the )?(?:project|contract)",
    ),
    "number": (
        "(?:采购)?(?:项目|招标|标书)编号|標案案號",
        r"(?:tender|bid|project|rfp|contract) (?:reference|ref\.?|no\.?|number)",
    ),
    "purchaser": (
        "(?:采购人|招标人|采购单位|招标单位|建设单位)(?:名称)?|機關名稱",
        "(?:contracting|procuring) (?:authority|entity)|purchaser|employer",
    ),
    "agency": ("(?:采购|招标)?代理(?:机构|单位)(?:名称)?", "(?:procurement|tender(?:ing)?) agen(?:t|cy)"),
    "procedure": ("(?:采购|招标)方式|招標方式", "procurement (?:method|procedure)|type of procedure"),
    "budget": (
        "(?:采购|项目|投资)?预算(?:总)?(?:金额|价|额)?|預算金額",
        "(?:estimated |total |project )?budget|estimated (?:value|cost)",
    ),
    "ceiling": (
        "最高(?:投标)?限价|招标控制价|拦标价",
        "maximum (?:price|budget|bid)|ceiling price|price ceiling",
    ),
    "bid_bond": (
        "(?:投标|磋商|谈判|响应)保证金(?:金额|数额)?|押標金",
        "(?:bid|tender) (?:security|bond|guarantee)",
    ),
    "performance_bond": (
        "履约(?:保证金|担保)(?:金额)?|履約保證金",
        "performance (?:security|bond|guarantee)",
    ),
    "bid_deadline": (
        r"(?:投标|递交|提交|报价|响应)[^，。；\t:：]{0,12}截止(?:时间|日期)|截标时间|截止投標",
        f"(?:deadline|closing date|due date) for (?:the )?(?:submission|receipt) of {_BIDS}",
        "(?:bid|tender|proposal|submission) (?:submission )?(?:deadline|closing date)",
        f"{_BIDS} (?:must|shall|should) be (?:received|submitted|delivered)",
    ),
    "opening": (
        "(?:开标|开启|開標)(?:时间|時間|日期)",
        f"(?:bid|tender) opening|opening of (?:the )?{_BIDS}",
    ),
    "documents": (
        "(?:获取|发售|报名)(?:采购文件|招标文件)?(?:的)?(?:时间|期限)",
        "获取(?:采购|招标|磋商|谈判)文件|(?:采购|招标|磋商|谈判)文件的?获取",
        "documents (?:are |will be )?available",
    ),
    "questions": (
        r"(?:提问|质疑|答疑|澄清|提出问题)[^，。；\t:：]{0,8}截止(?:时间|日期)?",
        "deadline for [a-z ]*(?:clarifications?|questions|enquiries)[a-z ]*",
    ),
    "validity": ("投标有效期|响应文件有效期", "(?:tender|bid) validity(?: period)?"),
    "period": (
        "(?:交付|交货|供货|完工|施工|服务)(?:期限?|时间)|工期|合同履行期限|履約期限",
        "(?:delivery|completion) (?:period|time)|contract (?:duration|period)",
    ),
    "place": (
        "(?:交付|交货|供货|服务|实施|施工)地点|履約地點",
        "place of (?:delivery|performance)|delivery (?:place|location|site)",
    ),
    "warranty": (
        "质(?:量)?保(?:证|修)?期|保修期|免费维护期|保固期",
        "warranty(?: period)?|defects liability period",
    ),
    "payment": ("付款(?:方式|条件|方法)|支付方式", "payment (?:terms|schedule|conditions)"),
}
LABELS: dict[str, str] = {key: "|".join(words) for key, words in _WORDS.items()}
