"""Reads JSON bodies so strictly that what passes is kept unchanged by every database; size is `edge`'s."""

from __future__ import annotations

from email.message import Message
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from duly.http.parts import parts
from duly.http.problems import pointed, summary
from duly.model import wire
from duly.model.errors import InvalidInput

Model = TypeVar("Model", bound=BaseModel)


async def read_json(request: Request) -> Any:
    """The request's body, any JSON value.

    Raises:
        HTTPException: 415, another content type or character set than JSON's.
        InvalidInput: 400 for malformed JSON, 413 above the limit.
    """
    _check_media_type(request.headers.getlist("content-type"))
    return wire.loads(await request.body(), limit=parts(request).app.settings.body_limit)


async def read_object(request: Request) -> dict[str, Any]:
    """The request's body, a JSON object.

    Raises:
        HTTPException: see `read_json`.
        InvalidInput: see `read_json`; 422 for JSON that is not an object.
    """
    value = await read_json(request)
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object")
    return value


#: A route's parameter of this type is the strictly read body.
JsonBody = Annotated[dict[str, Any], Depends(read_object)]


def shaped(model: type[Model], body: dict[str, Any]) -> Model:
    """The body as `model`.

    Raises:
        InvalidInput: unknown keys and wrong types, all of them with their places in `errors`.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        errors = pointed(error.errors(include_url=False, include_context=False, include_input=False))
        raise InvalidInput(summary(errors), errors=errors) from None


def _check_media_type(given: list[str]) -> None:
    message = Message()
    message["content-type"] = given[0] if len(given) == 1 else "multiple/values"
    charset = message.get_param("charset", "utf-8")
    if message.get_content_type() != "application/json" or str(charset).lower() not in ("utf-8", "utf8"):
        raise HTTPException(415, "send the body as application/json in UTF-8")
