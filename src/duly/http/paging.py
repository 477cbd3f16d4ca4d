"""Pages of a list by key: a signed cursor names the last row of a page, `Link` leads to the next (RFC 8288).

A cursor belongs to one list, one caller and one selection; anywhere else it is as good as forged.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duly.http.identity import Principal
from duly.http.parts import parts
from duly.http.seals import is_sealed, seal
from duly.model.errors import InvalidInput

CURSOR_LIMIT = 1000
PURPOSE = "cursor"
#: A list's parameter `cursor`.
Cursor = Annotated[str | None, Query(max_length=CURSOR_LIMIT, description="From the page before.")]

#: How a list's answer stands in OpenAPI.
LINKED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": 'The next page, if there is one: `<…>; rel="next"`.',
                "schema": {"type": "string"},
            }
        }
    }
}


class BadCursor(InvalidInput):
    """The cursor is damaged, or belongs to another list or caller; begin again at the first page."""

    code = "bad_cursor"
    http_status = 400


class Pages:
    """The pages of one list for one caller; `words` are what was selected."""

    def __init__(self, request: Request, principal: Principal, name: str, words: Mapping[str, Any]) -> None:
        self._request = request
        self._app = parts(request).app
        who = [principal.role, principal.tenant, principal.owner]
        self._scope = json.dumps([name, who, dict(words)], sort_keys=True)

    def open(self, cursor: str) -> list[Any]:
        """The key of the last row of the page before.

        Raises:
            BadCursor: we did not hand it out for this list, this caller and this selection.
        """
        text, _, signature = cursor.rpartition(".")
        if not is_sealed(self._app, PURPOSE, f"{self._scope}{text}", signature):
            raise BadCursor
        try:
            key = json.loads(base64.urlsafe_b64decode(text))
        except (ValueError, binascii.Error):  # no such text was ever signed
            raise BadCursor from None
        if not isinstance(key, list):
            raise BadCursor
        return key

    def behind(self, cursor: str | None, given: str) -> str:
        """The key behind which a list of one key goes on: the cursor's, or the one that was given."""
        return given if cursor is None else str(self.open(cursor)[0])

    def rows(
        self,
        name: str,
        found: Sequence[Any],
        limit: int,
        wire: Callable[[Any], Any],
        key: Callable[[Any], str],
    ) -> Response:
        """A page of a list of one key; `found` is one row longer than `limit` if there are more."""
        shown = found[:limit]
        body = {name: [wire(one) for one in shown]}
        return self.answer(body, [key(shown[-1])] if len(found) > limit else None)

    def answer(self, body: Mapping[str, Any], last: Sequence[Any] | None) -> Response:
        """The page; `last` is the key of its last row if there are more behind."""
        if last is None:
            return JSONResponse({**body, "next_cursor": None})
        text = base64.urlsafe_b64encode(json.dumps(list(last)).encode()).decode()
        cursor = f"{text}.{seal(self._app, PURPOSE, f'{self._scope}{text}')}"
        return JSONResponse(
            {**body, "next_cursor": cursor}, headers={"Link": f'<{self._place(cursor)}>; rel="next"'}
        )

    def _place(self, cursor: str) -> str:
        """The address of the next page: this one's, with its cursor."""
        kept = [
            (name, value)
            for name, value in self._request.query_params.multi_items()
            if name not in ("cursor", "offset", "after")
        ]
        path = self._request.scope.get("root_path", "") + self._request.scope["path"]
        query = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in [*kept, ("cursor", cursor)]
        )
        return f"{quote(path)}?{query}"
