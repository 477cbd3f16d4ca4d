"""JSON Schemas in words, for people who read /docs: what a value is, and the fields of an object."""

from __future__ import annotations

import json
from typing import Any

from duly.http.markup import Markup, element, joined, prose

Json = dict[str, Any]

#: A limit of a schema, and how it is told.
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "minLength": "length ≥ {}",
    "maxLength": "length ≤ {}",
    "minItems": "items ≥ {}",
    "maxItems": "items ≤ {}",
    "default": "default {}",
}


def kind(schema: Json) -> Markup:
    """What a value is, in a few words; a named schema is a link to its place on the page."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return element("a", name, href=f"#schema-{name}")
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return joined([element("code", json.dumps(one, ensure_ascii=False)) for one in values], " | ")
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return joined([joined([kind(one) for one in schema[choice]], " | "), _limits(schema)])
    types = schema.get("type", "any")
    names = [_named(one, schema) for one in ([types] if isinstance(types, str) else types)]
    return joined([joined(names, " | "), _limits(schema)])


def _named(name: str, schema: Json) -> Markup:
    if name == "array":
        return joined([kind(schema.get("items", {})), "[]"])
    more = schema.get("additionalProperties")
    if name == "object" and isinstance(more, dict) and more:
        return joined(["{ …: ", kind(more), " }"])
    return joined([f"{name} ({schema['format']})" if name == "string" and "format" in schema else name])


def _limits(schema: Json) -> Markup:
    told = [
        text.format(json.dumps(schema[name]))
        for name, text in _LIMITS.items()
        if schema.get(name) is not None
    ]
    return element("small", " ", ", ".join(told)) if told else Markup()


def fields(schema: Json, required: str) -> Markup:
    """The fields of an object, and of objects in it, as a table; empty when it has none of its own.

    Args:
        schema: of any value.
        required: the word beside what must be there.
    """
    inner = _object(schema)
    if inner is None:
        return Markup()
    must = inner.get("required", ())
    rows = [
        row(name, one, [required] if name in must else [], fields(one, required))
        for name, one in inner["properties"].items()
    ]
    return element("table", *rows)


def row(name: str, schema: Json, marks: list[str], inner: Markup, description: str = "") -> Markup:
    """One value: its name with marks, what it is, what it means, and what is in it."""
    said = description or schema.get("description", "")
    label = [element("code", name), *(element("small", f" {one}") for one in marks)]
    told = [kind(schema), *([element("p", prose(said))] if said else []), inner]
    return element("tr", element("th", *label, scope="row"), element("td", *told))


def _object(schema: Json) -> Json | None:
    """The object with fields of its own that a value is, or that it holds."""
    if schema.get("properties"):
        return schema
    within = [schema["items"]] if "items" in schema else []
    within += [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return next((found for one in within if (found := _object(one))), None)
