"""What the facts are called in tender documents: regular expressions, Chinese (both scripts) and English.

`^` in a label is the start of a paragraph or of a table cell, after its number: where a word is too common to
count anywhere else.
"""

from __future__ import annotations

import re

_BIDS = "(?:tenders?|bids?|proposals?|quotations?|quotes|offers?)"
_FILES = "(?:投标|响应|申请|报价|竞标|应答)(?:文件|书)?"
_BUYING = "(?:采购|招标|磋商|谈判|询价|比选|遴选|竞价|竞争性磋商|竞争性谈判)"
_DOCUMENT = "(?:tender|bid|project|rf[pqx]|if[bt]|it[bt]|contract|solicitation|procurement|invitation|notice)"
_LAST = "(?:deadline|closing date|due date|last date)"
_START = r"(?:(?<![\s\S])|(?<=[\t）)、])|(?<=\d\.)|(?<=\d\. )|(?<=\d\s))"
_WORDS: dict[str, tuple[str, ...]] = {
    "name": (
        "(?:采购|招标)?项目名称|工程名称|合同名称|標案名稱",
        "^(?:采购|招标)项目",
        "(?:project|contract) (?:name|title)|title of (?:the )?(?:project|contract)",
        "name of (?:the )?(?:project|contract|works?|tender|procurement|assignment)",
        "^(?:project|title|subject)",
    ),
    "number": (
        f"(?:{_BUYING}|项目|标书|文件|标段|合同){{1,4}}(?:项目)?编号|標案案號",
        rf"{_DOCUMENT}[ -](?:(?:reference|identification|file)[ -])?(?:reference|(?:ref|no|id)\b\.?|number)",
        r"^(?:reference|ref\.?|file)(?: (?:no\.?|number))?",
    ),
    "purchaser": (
        "(?:采购人|招标人|采购单位|招标单位|建设单位|比选人|询价人|发包人|业主单位)(?:名称|信息)?|機關名稱",
        "(?:contracting|procuring) (?:authority|entity|agency)|(?:the )?purchaser",
        "^(?:employer|buyer|client|agency)",
        "issued by",
    ),
    "agency": (
        f"(?:{_BUYING})?代理(?:机构|单位)(?:名称|信息)?",
        "(?:procurement|tender(?:ing)?) agen(?:t|cy)",
    ),
    "procedure": (
        "(?:采购|招标|比选)方式|招標方式",
        "procurement (?:method|procedure)|type of procedure|method of procurement",
    ),
    "budget": (
        "(?:采购|项目|投资)?(?:总)?预算(?:总)?(?:金额|价|额)?|預算金額",
        "(?:estimated |total |project |approved |anticipated ){0,4}budget(?: estimate| for the contract)?",
        "estimated (?:total )?(?:contract )?(?:value|cost)",
    ),
    "ceiling": (
        "最高(?:投标|报价)?限价|招标控制价|拦标价|上限价",
        "maximum (?:price|budget|bid)|ceiling price|price ceiling|price above",
    ),
    "bid_bond": (
        f"(?:投标|响应|{_BUYING})保证金(?:的?金额|的?数额)?|押標金",
        "(?:bid|tender|proposal) (?:security|bond|guarantee)|earnest money(?: deposit)?",
    ),
    "performance_bond": (
        "履约(?:保证金|担保)(?:的?金额)?|履約保證金",
        "performance (?:security|bond|guarantee)",
    ),
    "bid_deadline": (
        r"(?:投标|递交|提交|报价|响应|申请)[^，。；\t:：]{0,14}截止(?:时间|日期)?|截标时间|截止投標",
        r"^截止(?:时间|日期)",
        f"{_LAST}(?: and time)? for (?:the )?(?:submission|receipt)(?: of {_BIDS})?",
        f"{_BIDS} (?:return |submission )?(?:deadline|closing date|due date)|submission (?:deadline|date)",
        f"{_BIDS} (?:must|shall|should) be (?:received|submitted|delivered)|{_BIDS} (?:are due|due|close)",
        "deadline for bid submission",
        "^(?:closing|due) (?:date|time)",
    ),
    "opening": (
        "(?:开标|开启|開標)(?:时间|時間|日期)|^开启",
        f"(?:{_BIDS}|public) opening|opening of (?:the )?{_BIDS}|{_BIDS} (?:(?:shall|will) be |are )?opened",
    ),
    "documents": (
        f"(?:获取|发售|报名|领取)(?:{_BUYING}文件)?(?:的)?(?:时间|期限)|文件(?:领取|发售)(?:时间)?",
        f"获取{_BUYING}文件|{_BUYING}文件的?(?:获取|发售)",
        "documents? (?:are |will be |is )?available",
        "documents? (?:may|can) be (?:obtained|collected|downloaded)",
    ),
    "questions": (
        r"(?:提问|质疑|答疑|澄清|提出问题)[^，。；\t:：]{0,8}截止(?:时间|日期)?|疑问",
        "deadline for [a-z ]{0,60}(?:clarifications?|questions|enquiries)[a-z ]*",
        r"(?:questions|clarifications?|enquiries)\b[^.;\t]{0,60}?\b(?:until|by|before|later than)",
        "closing date for [a-z ]{0,60}(?:clarifications?|questions|enquiries)[a-z ]*",
    ),
    "validity": (
        f"{_FILES}(?:的)?有效期|报价有效期|(?<=之日起){_FILES}有效",
        f"{_BIDS} validity(?: period)?|validity(?: period)? of (?:the )?{_BIDS}",
        rf"{_BIDS} (?:shall|must|should|will) (?:be|remain) (?:valid|open)\b[a-z ]*",
    ),
    "period": (
        "(?:交付|交货|供货|完工|竣工|施工|服务)(?:期限?|时间)|工期|合同履行期限|履約期限",
        "(?:delivery|completion) (?:lead )?(?:period|time)|lead time|contract (?:duration|period)",
        "(?:period|time) (?:of|for) (?:completion|delivery)|(?:duration|term) of (?:the )?contract",
    ),
    "place": (
        "(?:交付|交货|供货|服务|实施|施工|建设|工程|项目)地点|履約地點",
        "place of (?:delivery|performance|work)|delivery (?:place|location|site|address)|final destination",
        "^(?:location|place|(?:the )?site)",
    ),
    "warranty": (
        "质(?:量)?保(?:证|修)?(?:期限?)?|保修期限?|免费维护期|保固期|缺陷责任期",
        "warranty(?: period)?|defects liability period|warrants the goods|maintenance period",
    ),
    "payment": (
        "(?:付款|支付|结算)(?:方式|条件|方法|办法)|^付款",
        "(?:payment )?terms of payment|payment (?:terms|schedule|conditions)|^payment",
    ),
}
LABELS: dict[str, str] = {
    key: re.sub(r"(?<!\[)\^", lambda _: _START, "|".join(words)) for key, words in _WORDS.items()
}
