"""What a fake model says: made from the prompt alone, the same each time, and labelled as scripted."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from duly.llm.fake.script import Script

LABEL = "Scripted answer, no model was asked."
_WORDS = (
    *("bid", "deadline", "price", "clause", "supplier", "quality", "warranty", "delivery", "evidence"),
    *("section", "term", "report", "risk", "score", "requirement", "service", "contract", "budget"),
    *("schedule", "item", "note", "team", "scope", "plan"),
)


def prompt_of(body: Mapping[str, Any]) -> str:
    """All that was said to the model, as one text."""
    messages = body.get("messages")
    if not isinstance(messages, Sequence) or isinstance(messages, str):
        return str(body.get("input", {}).get("prompt", ""))
    return "\n".join(_said(one.get("content")) for one in messages if isinstance(one, Mapping))


def _said(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def tokens(text: str) -> int:
    """So many tokens are billed for a text: one for each four bytes."""
    return max(1, len(text.encode()) // 4)


def answer(script: Script, body: Mapping[str, Any], said: dict[int, int]) -> str:
    """The answer to a request; `said` counts how often each scripted answer was given."""
    prompt = prompt_of(body)
    for place, one in enumerate(script.answer):
        if one.when in prompt:
            count = said[place] = said.get(place, 0) + 1
            return one.texts[min(count, len(one.texts)) - 1]
    draw = random.Random(hashlib.sha256(f"{script.seed}/{prompt}".encode()).digest())  # noqa: S311
    schema = _schema(body, prompt)
    if schema is not None:
        return json.dumps(_value(schema, schema.get("$defs", {}), draw), ensure_ascii=False)
    return " ".join([LABEL, *(draw.choice(_WORDS) for _ in range(script.words))])


def _schema(body: Mapping[str, Any], prompt: str) -> Mapping[str, Any] | None:
    """The JSON schema that is asked for, in its field or in the prompt."""
    form = body.get("response_format")
    if isinstance(form, Mapping) and form.get("type") == "json_schema":
        schema: Mapping[str, Any] = form.get("json_schema", {}).get("schema", {})
        return schema
    begin = prompt.find("JSON schema: {")
    if begin < 0:
        return None
    try:
        found: Mapping[str, Any] = json.JSONDecoder().raw_decode(prompt, begin + len("JSON schema: "))[0]
    except json.JSONDecodeError:
        return None
    return found


def _value(schema: Mapping[str, Any], known: Mapping[str, Any], draw: random.Random) -> Any:
    """A value that fits a schema, as Pydantic writes schemas."""
    if "$ref" in schema:
        return _value(known.get(str(schema["$ref"]).rpartition("/")[2], {}), known, draw)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return _value(schema[word][0], known, draw)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    match schema.get("type"):
        case "object":
            return {name: _value(one, known, draw) for name, one in schema.get("properties", {}).items()}
        case "array":
            return [_value(schema.get("items", {}), known, draw) for _ in range(schema.get("minItems", 1))]
        case "integer" | "number":
            return schema.get("minimum", draw.randrange(1, 10))
        case "boolean":
            return draw.random() < 0.5
        case "null":
            return None
    return " ".join(draw.choice(_WORDS) for _ in range(4))
