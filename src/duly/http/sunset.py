"""Routes that will go say so: Deprecation (RFC 9745), Sunset (RFC 8594), and links to what to read and use.

`@router.get(…, dependencies=[Sunsetting(since=…, until=…, successor="/api/v2/…")])`
"""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime

from fastapi import Request

from duly.http.edge import EXTRA


class Sunsetting:
    """A dependency of a route that is deprecated `since` a moment and gone `until` another (UTC)."""

    def __init__(
        self,
        *,
        since: dt.datetime,
        until: dt.datetime | None = None,
        reading: str | None = None,
        successor: str | None = None,
    ) -> None:
        if since.tzinfo is None or (until is not None and (until.tzinfo is None or until < since)):
            raise ValueError("a route is deprecated before it goes, and both moments have a zone")
        self.headers = {"Deprecation": f"@{int(since.timestamp())}"}
        if until is not None:
            self.headers["Sunset"] = format_datetime(until.astimezone(dt.UTC), usegmt=True)
        links = [f'<{reading}>; rel="deprecation"; type="text/html"'] if reading else []
        links += [f'<{reading}>; rel="sunset"; type="text/html"'] if reading and until is not None else []
        links += [f'<{successor}>; rel="successor-version"'] if successor else []
        if links:
            self.headers["Link"] = ", ".join(links)

    def __call__(self, request: Request) -> None:
        """Adds the headers to whatever the route answers, errors too."""
        request.scope[EXTRA].update(self.headers)
