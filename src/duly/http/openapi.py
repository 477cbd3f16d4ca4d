"""The API's description, OpenAPI 3.1: what the framework finds in the routes, and what it cannot see there.

Every operation gets the problems that it can answer, by what it takes; bodies of answers, headers, webhooks
and examples stand here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from duly.http import shapes
from duly.http.cookies import COOKIE
from duly.http.meanings import MEANINGS
from duly.http.permissions import SAFE
from duly.http.problems import MEDIA_TYPE, SCHEMA

Json = dict[str, Any]

#: What any call may get; 404 and 409 only where something is named, 413 and 415 only where there is a body.
ALWAYS = (400, 429, 431, 500, 503)
CALLERS = (401, 403)
_PLACES = {
    "RateLimit": ('What is left of the policy, if there is one: `"default";r=50;t=30`.', "string"),
    "RateLimit-Policy": ('The policy, if there is one: `"default";q=600;w=60`.', "string"),
    "Retry-After": ("Seconds after which it is worth asking again.", "integer"),
    "Location": ("Where the task is found.", "string"),
    "Preference-Applied": ("What of `Prefer` was heeded; a wait is capped.", "string"),
    "ETag": ("Names this answer; send it back as If-None-Match.", "string"),
    "Duly-Retention": ("Seconds that the task is kept once it has ended.", "integer"),
    "Idempotency-Replayed": ("`true` when an earlier request with this key was answered again.", "string"),
    "Link": ('The next page, if there is one: `<…>; rel="next"`.', "string"),
    "WWW-Authenticate": ("How to authenticate.", "string"),
}
_TASK_HEADERS = ("ETag", "Duly-Retention", "Retry-After", "Preference-Applied")
_PREFER = (
    "Prefer",
    "`wait=N`: answer with the end if it comes within N seconds, 60 at most; `respond-async`: do not wait.",
    "wait=10",
)
_KEY = (
    "Idempotency-Key",
    "The same key again is the same task, for 24 hours; with another body 422. Each caller has his own keys.",
    '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
)
_NONE_MATCH = ("If-None-Match", "The ETag that the caller has: 304 when it still stands.", None)
_RANGE = ("Range", "One range of bytes.", "bytes=0-99")
_IF_RANGE = ("If-Range", "The ETag of the version that the range is of.", None)

#: A browser that has signed in: its cookie, and what proves that a page of ours asks for a change.
_BROWSER: Json = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "A browser's session, begun by POST /api/session.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "As GET /api/session answers it; with the cookie, for what changes something.",
    },
}

#: Request headers by operation.
_ASKS: dict[tuple[str, str], tuple[tuple[str, str, str | None], ...]] = {
    ("post", "/api/tasks"): (_PREFER, _KEY),
    ("post", "/api/batches"): (_PREFER, _KEY),
    ("post", "/api/bulk"): (_PREFER, _KEY),
    ("get", "/api/tasks/{task_id}"): (_PREFER, _NONE_MATCH),
    ("get", "/api/batches/{batch_id}"): (_PREFER, _NONE_MATCH),
    ("post", "/api/tasks/{task_id}/signals/{name}"): (_KEY,),
    ("get", "/api/tasks/{task_id}/result"): (_NONE_MATCH, _RANGE, _IF_RANGE),
    ("get", "/api/tasks/{task_id}/files/{sha256}"): (_NONE_MATCH, _RANGE, _IF_RANGE),
}


def install(api: FastAPI) -> None:
    """Makes the description what `/openapi.json` and `/docs` show; it is made at the first question."""

    def described() -> Json:
        if api.openapi_schema is None:
            api.openapi_schema = describe(api)
        return api.openapi_schema

    api.openapi = described  # type: ignore[method-assign]


def describe(api: FastAPI) -> Json:
    """The whole description."""
    found = get_openapi(
        title=api.title,
        version=api.version,
        summary=api.summary,
        description="Errors are problems (RFC 9457), in English or Chinese by Accept-Language.",
        routes=api.routes,
    )
    schemas = found.setdefault("components", {}).setdefault("schemas", {})
    schemas |= shapes.SCHEMAS | {"Problem": SCHEMA}
    found["components"]["responses"] = {str(status): _problem(status) for status in _statuses()}
    found["components"]["headers"] = {name: _header(name) for name in _PLACES}
    found["components"].setdefault("securitySchemes", {}).update(_BROWSER)
    for path, verb, operation in _operations(found):
        _hoist(operation, schemas)
        _answers(path, verb, operation)
        _ask(path, verb, operation)
        _by_cookie(verb, operation)
    found["webhooks"] = shapes.webhooks()
    return found


def _operations(found: Json) -> Iterator[tuple[str, str, Json]]:
    for path, verbs in found["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation


def _statuses() -> list[int]:
    return sorted({meaning.status for meaning in MEANINGS.values()} | {404, 409, 416, 431})


def _problem(status: int) -> Json:
    """What a problem of this status looks like, with one of its codes as the example."""
    codes = [code for code, meaning in MEANINGS.items() if meaning.status == status]
    headers = {"Retry-After": _ref("headers", "Retry-After")} if status in (429, 503) else {}
    headers |= {"WWW-Authenticate": _ref("headers", "WWW-Authenticate")} if status == 401 else {}
    content: Json = {"schema": _ref("schemas", "Problem")}
    if codes:
        content["example"] = _example(codes[0])
    listed = ", ".join(f"`{code}`" for code in codes) or "the server's own limits"
    said: Json = {"description": f"A problem: {listed}", "content": {MEDIA_TYPE: content}}
    return {**said, "headers": headers} if headers else said


def _example(code: str) -> Json:
    meaning = MEANINGS[code]
    told = {"type": f"/problems/{code.replace('_', '-')}", "title": meaning.en, "status": meaning.status}
    return {**told, "detail": meaning.en, "code": code, "instance": "/api/tasks"}


def _header(name: str) -> Json:
    description, kind = _PLACES[name]
    return {"description": description, "schema": {"type": kind}}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


def _hoist(operation: Json, schemas: Json) -> None:
    """Models that the strict gate reads bring their definitions along: these become the document's own."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content.get("schema", {})
        for name, one in schema.pop("$defs", {}).items():
            schemas[name] = _renamed(one)
        content["schema"] = _renamed(schema)


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: one.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _renamed(one)
            for key, one in value.items()
        }
    return [_renamed(one) for one in value] if isinstance(value, list) else value


def _answers(path: str, verb: str, operation: Json) -> None:
    """The problems of an operation, by what it takes; and the bodies of its answers."""
    responses = operation["responses"]
    responses.pop("default", None)
    responses.pop("422", None)
    wanted = {*ALWAYS}
    wanted |= {*CALLERS} if "security" in operation or "/links/" in path or path == "/api/session" else set()
    wanted |= {404, 409} if "{" in path or verb in ("post", "put") else set()
    wanted |= {404} if path == "/api/deliveries" else set()  # of an endpoint that is not the caller's
    wanted |= {422} if operation.get("parameters") or "requestBody" in operation or "{" in path else set()
    wanted |= {413, 415} if verb in ("post", "put", "patch") else set()
    wanted |= {416} if "206" in responses else set()
    for status in sorted(wanted):
        responses[str(status)] = _ref("responses", str(status))
    _bodies(path, verb, responses)


def _bodies(path: str, verb: str, responses: Json) -> None:
    name = shapes.ANSWERS.get((verb, path))
    for status, answer in responses.items():
        if not status.startswith("2") or "$ref" in answer or status == "204":
            continue
        headers = answer.setdefault("headers", {})
        told = ["RateLimit", "RateLimit-Policy"] if path.startswith("/api/") else []
        if name == "Task":
            told += [*_TASK_HEADERS, *(("Location", "Idempotency-Replayed") if verb == "post" else ())]
        headers |= {one: _ref("headers", one) for one in told if one not in headers}
        if name is not None and "application/octet-stream" not in answer.get("content", {}):
            answer.setdefault("content", {})["application/json"] = {"schema": _ref("schemas", name)}
        elif "application/octet-stream" in answer.get("content", {}):
            answer["content"] = {"*/*": {"schema": {}}}
    if (verb, path) in _ASKS and _NONE_MATCH in _ASKS[verb, path]:
        responses.setdefault("304", {"description": "The caller has it already."})


def _by_cookie(verb: str, operation: Json) -> None:
    """Whatever a token opens a browser's session opens too."""
    if "security" in operation:
        safe = verb.upper() in SAFE
        operation["security"].append({"session": []} if safe else {"session": [], "csrf": []})


def _ask(path: str, verb: str, operation: Json) -> None:
    for name, description, example in _ASKS.get((verb, path), ()):
        one: Json = {"name": name, "in": "header", "required": False, "description": description}
        one["schema"] = {"type": "string"} | ({} if example is None else {"examples": [example]})
        operation.setdefault("parameters", []).append(one)
