"""docs/openapi.json is what the server says of its API, and no change breaks a client unseen."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

import api_document


@pytest.fixture(scope="module")
def document() -> Any:
    """What the server describes."""
    return api_document.document()


@pytest.fixture(scope="module")
def kept() -> Any:
    """What is checked in."""
    return json.loads(api_document.PAGE.read_text("utf-8"))


def test_no_client_of_the_description_breaks(document: Any, kept: Any) -> None:
    """An operation, a parameter, a field of an answer may come; none may go, none may become required."""
    assert api_document.breaking(kept, document) == [], "a client would break; see scripts/api_document.py"


def test_the_description_is_checked_in_as_it_is(document: Any) -> None:
    """The file is written by `make docs`."""
    assert api_document.PAGE.read_text("utf-8") == api_document.text(document), "run `make docs`"


def test_it_is_openapi_3_1_with_webhooks_and_security(document: Any) -> None:
    """Each reference leads somewhere; errors of every kind are described with an example."""
    assert document["openapi"].startswith("3.1")
    ends = {"task.completed", "task.failed", "task.cancelled"}
    assert set(document["webhooks"]) == {*ends, "endpoint.test"}
    assert document["components"]["securitySchemes"]
    for place in references(document):
        found: Any = document
        for step in place.removeprefix("#/").split("/"):
            found = found[step]
    assert document["components"]["responses"]["404"]["content"]["application/problem+json"]["example"]


def references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for child in value.values() for one in references(child)]
    return [one for child in value for one in references(child)] if isinstance(value, list) else []


def _without_operation(doc: Any) -> None:
    del doc["paths"]["/api/tasks"]["post"]


def _without_parameter(doc: Any) -> None:
    parameters = doc["paths"]["/api/tasks"]["get"]["parameters"]
    parameters[:] = [one for one in parameters if one["name"] != "tag"]


def _required_parameter(doc: Any) -> None:
    doc["paths"]["/api/tasks"]["get"]["parameters"].append({"name": "new", "in": "query", "required": True})


def _without_answer(doc: Any) -> None:
    del doc["paths"]["/api/tasks"]["post"]["responses"]["202"]


def _shorter_answer(doc: Any) -> None:
    del doc["components"]["schemas"]["Task"]["properties"]["result"]


def _required_field(doc: Any) -> None:
    body = doc["paths"]["/api/tasks"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"]["required"].append("priority")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_without_operation, "POST /api/tasks is gone"),
        (_without_parameter, "GET /api/tasks: the parameter query tag is gone"),
        (_required_parameter, "GET /api/tasks: the parameter query new is required now"),
        (_without_answer, "POST /api/tasks: the answer 202 is gone"),
        (_shorter_answer, "GET /api/tasks/{task_id}: the answer 200 says no result any more"),
        (_required_field, "POST /api/tasks: the body's priority is required now"),
    ],
)
def test_a_breaking_change_is_seen(kept: Any, change: Callable[[Any], None], told: str) -> None:
    """And told in a sentence; what is only new is no break."""
    new = copy.deepcopy(kept)
    change(new)
    assert told in api_document.breaking(kept, new)


def test_what_is_new_breaks_nobody(kept: Any) -> None:
    """An operation more, a field more."""
    new = copy.deepcopy(kept)
    new["paths"]["/api/new"] = {"get": {"responses": {"200": {}}}}
    new["components"]["schemas"]["Task"]["properties"]["more"] = {}
    assert api_document.breaking(kept, new) == []
