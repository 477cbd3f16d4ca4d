"""The shape of a split, checked before it is kept, whichever engine made it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: The most person-days of an item, and the most items: their ids have four digits.
ITEM_DAYS, ITEMS = 100_000, 9_999
Days = Annotated[float, Field(ge=0, le=ITEM_DAYS, allow_inf_nan=False)]
AllDays = Annotated[float, Field(ge=0, le=ITEM_DAYS * ITEMS, allow_inf_nan=False)]
Role = Literal["analyst", "designer", "frontend", "backend", "data", "tester", "operator", "trainer"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Range(_Strict):
    """Person-days: what it costs when all goes well, and when it does not."""

    low: Days
    high: Days

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("low is above high")
        return self


class Share(Range):
    """What one role has to do of an item."""

    role: Role


class Link(_Strict):
    """An item waits for another: the text says so (`stated`), or a rule does."""

    id: str
    source: Literal["stated", "rule"]
    why: str = Field(max_length=300)


class WorkItem(_Strict):
    """One piece of work. `quote` is `text[start:end]` of the document."""

    id: str = Field(pattern=r"^W\d{3,4}$")
    title: str = Field(min_length=1, max_length=120)
    module: str | None = Field(max_length=120)
    kind: str = Field(max_length=40)
    estimate: Range
    #: `stated`: the document gives the effort; `rule`: from the kind of work and what the text counts.
    basis: Literal["stated", "rule", "model"]
    roles: list[Share] = Field(min_length=1)
    depends_on: list[Link]
    assumptions: list[str]
    quote: str = Field(min_length=1)
    page: int | None
    paragraph: int | None
    start: int = Field(ge=0)
    end: int = Field(ge=1)


class Sum(Range):
    """Person-days of many items."""

    low: AllDays
    high: AllDays


class RoleSum(Sum):
    """What one role has to do of all items."""

    role: Role


class Chain(Sum):
    """The longest line of items that wait for each other."""

    ids: list[str]


class Totals(Sum):
    """All items together, in person-days."""

    unit: Literal["person_day"] = "person_day"
    roles: list[RoleSum]
    chain: Chain


def checked(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items, if they are whole: known shape, ids used once, links that lead to items, and no circle.

    Raises:
        ValueError: they are not; the line says where.
    """
    known = [WorkItem.model_validate(item) for item in items]
    ids = [item.id for item in known]
    if len(set(ids)) != len(ids):
        raise ValueError("two items have one id")
    waits = {item.id: [link.id for link in item.depends_on] for item in known}
    for id_, others in waits.items():
        if unknown := [one for one in others if one not in waits]:
            raise ValueError(f"{id_} waits for {unknown[0]}, which is not there")
    ordered(waits)
    return [item.model_dump() for item in known]


def ordered(waits: dict[str, list[str]]) -> list[str]:
    """The ids, each after what it waits for.

    Raises:
        ValueError: some wait for each other in a circle.
    """
    order: list[str] = []
    left = {id_: set(others) for id_, others in waits.items()}
    while left:
        free = [id_ for id_, others in left.items() if not others]
        if not free:
            raise ValueError(f"these wait for each other: {', '.join(sorted(left)[:10])}")
        for id_ in free:
            del left[id_]
        for others in left.values():
            others.difference_update(free)
        order += free
    return order


def totals(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Sums of all, of each role, and the longest chain."""
    roles: dict[str, list[float]] = {}
    for share in (share for item in items for share in item["roles"]):
        sums = roles.setdefault(share["role"], [0.0, 0.0])
        sums[0] += share["low"]
        sums[1] += share["high"]
    shares = [{"role": role, "low": round(a, 1), "high": round(b, 1)} for role, (a, b) in roles.items()]
    low, high = (round(sum(item["estimate"][end] for item in items), 1) for end in ("low", "high"))
    return Totals.model_validate(
        {"low": low, "high": high, "roles": shares, "chain": _chain(items)}
    ).model_dump()


def _chain(items: list[dict[str, Any]]) -> dict[str, Any]:
    """By the upper ends: what is longest when nothing goes well."""
    by_id = {item["id"]: item for item in items}
    waits = {item["id"]: [link["id"] for link in item["depends_on"]] for item in items}
    longest: dict[str, tuple[float, float, list[str]]] = {}
    for id_ in ordered(waits):
        low, high, ids = max((longest[one] for one in waits[id_]), default=(0.0, 0.0, []), key=lambda c: c[1])
        own = by_id[id_]["estimate"]
        longest[id_] = (low + own["low"], high + own["high"], [*ids, id_])
    low, high, ids = max(longest.values(), default=(0.0, 0.0, []), key=lambda c: c[1])
    return {"low": round(low, 1), "high": round(high, 1), "ids": ids}
