"""Routes that will go: Deprecation, Sunset and links, on whatever they answer."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from site_under_test import Site

from duly.http.caller import CallerDep
from duly.http.sunset import Sunsetting

SINCE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
UNTIL = dt.datetime(2027, 1, 1, 8, tzinfo=dt.timezone(dt.timedelta(hours=8)))


async def old(caller: CallerDep, number: int) -> Any:
    return caller.answer(await caller.task("none")) if number else {"old": True}


async def test_a_deprecated_route_says_so_whatever_it_answers(site: Site) -> None:
    """In the forms of RFC 9745 and RFC 8594; a 404 and a 422 too, another route not."""
    from fastapi import Depends

    rule = Sunsetting(since=SINCE, until=UNTIL, reading="/docs", successor="/api/v2/old")
    site.api.add_api_route("/api/old", old, dependencies=[Depends(rule)])
    async with site.user("ann") as ann:
        answers = [await ann.get(f"/api/old?number={n}") for n in ("0", "1", "x")]
        other = await ann.get("/api/tasks")
    assert [answer.status_code for answer in answers] == [200, 404, 422]
    for answer in answers[:2]:
        assert answer.headers["deprecation"] == f"@{int(SINCE.timestamp())}"
        assert parsedate_to_datetime(answer.headers["sunset"]) == UNTIL
        rels = [one.partition("rel=")[2] for one in answer.headers["link"].split(", ")]
        assert [rel.split(";")[0].strip('"') for rel in rels] == [
            "deprecation",
            "sunset",
            "successor-version",
        ]
    assert "deprecation" not in other.headers


def test_only_what_was_said_is_told() -> None:
    """Deprecated without an end has neither Sunset nor links."""
    assert Sunsetting(since=SINCE).headers == {"Deprecation": "@1767225600"}


@pytest.mark.parametrize(
    ("since", "until"),
    [(UNTIL, SINCE), (dt.datetime(2026, 1, 1), None), (SINCE, dt.datetime(2027, 1, 1))],  # noqa: DTZ001
)
def test_a_route_does_not_go_before_it_is_deprecated(since: dt.datetime, until: dt.datetime | None) -> None:
    """And both moments are moments."""
    with pytest.raises(ValueError, match="deprecated"):
        Sunsetting(since=since, until=until)
