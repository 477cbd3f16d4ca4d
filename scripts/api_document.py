"""Writes docs/openapi.json, the API's description, from the code; refuses when that would break a client.

`make docs` writes it, a test compares it. `--breaking` writes all the same: say so in a changelog fragment.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "openapi.json"
Json = dict[str, Any]


def document() -> Json:
    """The description of Duly's own API, without apps."""
    from duly.config import load
    from duly.http.api import create_api
    from duly.runtime.app import App
    from duly.runtime.load import load_declared

    with tempfile.TemporaryDirectory() as folder:
        chosen = load({"database_url": f"sqlite:///{folder}/duly.db", "log_level": "error"}, environ={})
        app = App(chosen, load_declared(chosen))
        asyncio.run(app.start())
        found = create_api(app).openapi()
        asyncio.run(app.stop())
    return dict(json.loads(json.dumps(found)))


def text(found: Json) -> str:
    """As the file has it: sorted, so that a change is a small difference."""
    return json.dumps(found, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def breaking(old: Json, new: Json) -> list[str]:
    """What a client of the old description could not do any more, one line each."""
    return [line for path, verb in _operations(old) for line in _broken(old, new, path, verb)]


def _operations(found: Json) -> Iterator[tuple[str, str]]:
    return ((path, verb) for path, verbs in found["paths"].items() for verb in verbs)


def _broken(old: Json, new: Json, path: str, verb: str) -> Iterator[str]:
    name = f"{verb.upper()} {path}"
    after = new["paths"].get(path, {}).get(verb)
    if after is None:
        yield f"{name} is gone"
        return
    before = old["paths"][path][verb]
    known, now = _parameters(before), _parameters(after)
    yield from (f"{name}: the parameter {one} is gone" for one in sorted(known.keys() - now.keys()))
    must = {
        one for one, given in now.items() if given.get("required") and not known.get(one, {}).get("required")
    }
    yield from (f"{name}: the parameter {one} is required now" for one in sorted(must))
    yield from (
        f"{name}: the answer {status} is gone"
        for status in sorted(before["responses"].keys() - after["responses"].keys())
        if status.startswith("2")
    )
    yield from (f"{name}: {line}" for line in _bodies(old, new, before, after))


def _parameters(operation: Json) -> dict[str, Json]:
    return {f"{one['in']} {one['name']}": one for one in operation.get("parameters", ())}


def _bodies(old: Json, new: Json, before: Json, after: Json) -> Iterator[str]:
    """A request may ask for no more than it did, an answer may say no less."""
    asked, asks = (_properties(doc, _request(one)) for doc, one in ((old, before), (new, after)))
    yield from (f"the body's {one} is gone" for one in sorted(asked.keys() - asks.keys()))
    yield from (
        f"the body's {one} is required now" for one in sorted(asks.keys()) if asks[one] and not asked.get(one)
    )
    for status in before["responses"]:
        said, says = (_properties(doc, _answer(one, status)) for doc, one in ((old, before), (new, after)))
        yield from (
            f"the answer {status} says no {one} any more" for one in sorted(said.keys() - says.keys())
        )


def _request(operation: Json) -> Json:
    return _schema(operation.get("requestBody", {}))


def _answer(operation: Json, status: str) -> Json:
    return _schema(operation["responses"].get(status, {}))


def _schema(holder: Json) -> Json:
    return dict(holder.get("content", {}).get("application/json", {}).get("schema", {}))


def _properties(doc: Json, schema: Json) -> dict[str, bool]:
    """Names at the top of an object, and whether they are required."""
    while "$ref" in schema:
        schema = doc["components"]["schemas"].get(schema["$ref"].rpartition("/")[2], {})
    return {name: name in schema.get("required", ()) for name in schema.get("properties", {})}


def main() -> int:
    """The command."""
    found = document()
    broken = breaking(json.loads(PAGE.read_text("utf-8")), found) if PAGE.exists() else []
    if broken and "--breaking" not in sys.argv:
        print("a client of docs/openapi.json would break:", *broken, sep="\n  ", file=sys.stderr)
        return 1
    PAGE.write_text(text(found), "utf-8")
    print(f"{PAGE.relative_to(Path.cwd())} written", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
