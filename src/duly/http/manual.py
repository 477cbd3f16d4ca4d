"""/docs: what /openapi.json says, as a page for people, without a script and with nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from duly.http.markup import Markup, element, joined, prose
from duly.http.schematic import fields, kind, row
from duly.http.titles import Language

Json = dict[str, Any]

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("HTTP API", "HTTP 接口"),
    "document": ("OpenAPI document", "OpenAPI 文档"),
    "language": ("中文", "English"),
    "parameters": ("Parameters", "参数"),
    "body": ("Request body", "请求正文"),
    "answers": ("Answers", "响应"),
    "headers": ("Headers", "响应头"),
    "problems": ("Errors", "错误"),
    "webhooks": ("Webhooks", "Webhook 通知"),
    "schemas": ("Schemas", "数据结构"),
    "required": ("required", "必填"),
    "credentials": ("Credentials", "凭据"),
    "query": ("query", "查询参数"),
    "path": ("path", "路径"),
    "header": ("header", "请求头"),
    "other": ("More", "其他"),
}
#: What the groups of operations are called in Chinese.
_TAGS = {
    "pages": "页面",
    "audit": "审计",
    "tasks": "任务",
    "live": "实时",
    "callbacks": "回调",
    "endpoints": "投递端点",
    "gates": "模型闸门",
    "keys": "密钥",
    "limits": "限额",
    "files": "文件",
    "metrics": "指标",
    "inbox": "收件箱",
    "queues": "队列",
    "schedules": "计划",
    "session": "会话",
    "shares": "份额",
    "uploads": "上传",
    "usage": "用量",
    "health": "健康检查",
    "problems": "错误说明",
}


def page(document: Json, language: Language, static: str) -> str:
    """The whole page.

    Args:
        document: OpenAPI 3.1.
        language: of the labels; the operations are told as the document tells them.
        static: where the style sheet and the icon are.
    """
    return "<!doctype html>\n" + _Manual(document, language).page(static)


class _Manual:
    def __init__(self, document: Json, language: Language) -> None:
        self._document = document
        self._zh = language == "zh"
        self._groups: dict[str, list[Markup]] = {}
        for path, verbs in document["paths"].items():
            for verb, operation in verbs.items():
                tag = (operation.get("tags") or ["other"])[0]
                self._groups.setdefault(tag, []).append(self._operation(verb, path, operation))

    def _t(self, name: str) -> str:
        return _WORDS[name][self._zh]

    def _tag(self, name: str) -> str:
        return self._t(name) if name == "other" else _TAGS.get(name, name) if self._zh else name.capitalize()

    def page(self, static: str) -> Markup:
        info = self._document["info"]
        head = element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", f"{info['title']} · {self._t('title')}"),
            element("link", rel="icon", href=f"{static}/icon.svg", type="image/svg+xml"),
            element("link", rel="stylesheet", href=f"{static}/style.css"),
        )
        title = element("h1", self._t("title"), element("small", f" {info['version']}"))
        said = [element("p", prose(info[one])) for one in ("summary", "description") if info.get(one)]
        main = element("main", title, *said, self._chips(), *self._sections(), class_="content manual")
        body = element("body", self._top(static, info["title"]), main)
        return element("html", head, body, lang="zh-CN" if self._zh else "en")

    def _top(self, static: str, title: str) -> Markup:
        icon = element("img", src=f"{static}/icon.svg", alt="", width="22", height="22")
        brand = element("a", icon, title, href="./", class_="brand")
        document = element("a", self._t("document"), href="openapi.json")
        other = element("a", self._t("language"), href="?lang=en" if self._zh else "?lang=zh")
        return element("header", brand, element("div", document, other, class_="tools"), class_="top")

    def _chips(self) -> Markup:
        parts = [(f"tag-{name}", self._tag(name)) for name in self._groups]
        parts += [(name, self._t(name)) for name in ("webhooks", "problems", "schemas")]
        links = [element("a", text, href=f"#{id_}", class_="chip") for id_, text in parts]
        return element("nav", *links, class_="chips")

    def _sections(self) -> Iterator[Markup]:
        for name, operations in self._groups.items():
            yield element("h2", self._tag(name), id=f"tag-{name}")
            yield from operations
        yield element("h2", self._t("webhooks"), id="webhooks")
        for name, verbs in self._document.get("webhooks", {}).items():
            yield from (self._operation(verb, name, operation) for verb, operation in verbs.items())
        yield element("h2", self._t("problems"), id="problems")
        yield element("table", *self._problems())
        yield element("h2", self._t("schemas"), id="schemas")
        for name, schema in self._document["components"]["schemas"].items():
            said = [element("p", prose(schema["description"]))] if schema.get("description") else []
            told = [*said, fields(schema, self._t("required")) or element("p", kind(schema))]
            yield element("details", element("summary", element("code", name)), *told, id=f"schema-{name}")

    def _problems(self) -> Iterator[Markup]:
        for status, one in self._document["components"]["responses"].items():
            label = element("th", element("code", status), scope="row")
            yield element("tr", label, element("td", prose(one["description"])), id=f"problem-{status}")

    def _operation(self, verb: str, path: str, operation: Json) -> Markup:
        first, *told = operation.get("description", "").split("\n\n")
        said = first if path.startswith("/") and first else operation.get("summary", "")
        told = told if said == first else [first, *told]
        badge = element("b", verb.upper(), class_=f"verb {verb}")
        label = element("summary", badge, element("code", path), element("span", prose(said)))
        parts = [
            *(element("p", prose(one)) for one in told if one),
            *self._credentials(operation),
            *self._parameters(operation.get("parameters", [])),
            *self._body(operation.get("requestBody", {}).get("content", {})),
            *self._answers(operation["responses"]),
        ]
        return element("details", label, *parts, id=operation["operationId"])

    def _credentials(self, operation: Json) -> Iterator[Markup]:
        ways = [" + ".join(one) for one in operation.get("security", [])]
        if ways:
            yield element("p", element("small", self._t("credentials"), ": ", " | ".join(ways)))

    def _parameters(self, parameters: list[Json]) -> Iterator[Markup]:
        if not parameters:
            return
        yield element("h3", self._t("parameters"))
        rows = []
        for one in parameters:
            marks = [self._t(one["in"]) if one["in"] in _WORDS else one["in"]]
            marks += [self._t("required")] if one.get("required") else []
            rows.append(row(one["name"], one["schema"], marks, Markup(), one.get("description", "")))
        yield element("table", *rows)

    def _body(self, content: Json) -> Iterator[Markup]:
        for media, one in content.items():
            schema = one.get("schema", {})
            yield element("h3", self._t("body"), element("small", f" {media}"))
            yield element("p", prose(schema["description"])) if schema.get("description") else Markup()
            yield fields(schema, self._t("required")) or element("p", kind(schema))

    def _answers(self, responses: Json) -> Iterator[Markup]:
        yield element("h3", self._t("answers"))
        yield element("table", *(self._answer(*one) for one in responses.items() if "$ref" not in one[1]))
        statuses = [status for status, one in responses.items() if "$ref" in one]
        if statuses:
            links = [element("a", status, href=f"#problem-{status}") for status in statuses]
            yield element("p", f"{self._t('problems')}: ", joined(links, " · "))

    def _answer(self, status: str, answer: Json) -> Markup:
        told: list[str] = [element("p", prose(answer.get("description", "")))]
        for media, one in answer.get("content", {}).items():
            told.append(element("p", kind(one.get("schema", {})), element("small", f" {media}")))
            told.append(fields(one.get("schema", {}), self._t("required")))
        if answer.get("headers"):
            names = [element("code", name) for name in answer["headers"]]
            told.append(element("p", element("small", f"{self._t('headers')}: ", joined(names, ", "))))
        return element("tr", element("th", element("code", status), scope="row"), element("td", *told))
