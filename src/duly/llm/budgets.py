"""Budgets: how many tokens or how much money the calls of a task, an owner or a tenant may use.

They are asked before each call, of the ledger. A call that is under way when a budget ends is paid: with N
calls at once, N may go beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from duly.model.chat import BudgetExceeded, ChatRequest
from duly.store import ledger
from duly.store.database import Database
from duly.store.ledger import NANOS, Per, Spent, Whose


class Budget(BaseModel):
    """What may be used, and by whom. `name` (of an owner, a tenant, a task type): of this one only, and then
    in place of what holds for all."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    of: Literal["task", "owner", "tenant"]
    name: str | None = None
    #: The owner's tenant, where that is said.
    tenant: str | None = None
    tokens: int | None = Field(None, ge=0)
    cost: float | None = Field(None, ge=0)
    currency: str = Field("", pattern=r"^([A-Z]{3})?$")
    #: In a UTC day or month; of a task always all that it uses.
    per: Per = "month"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.tokens is None) == (self.cost is None):
            raise ValueError("a budget has tokens, or a cost")
        if (self.cost is None) != (self.currency == ""):
            raise ValueError("a cost has a currency")
        if self.tenant is not None and self.of != "owner":
            raise ValueError("tenant belongs to the budget of an owner")
        return self

    def means(self, request: ChatRequest) -> bool:
        """Whether it is about this call."""
        of = {"task": request.task_type, "owner": request.owner, "tenant": request.tenant}[self.of]
        return self.name in (None, of) and self.tenant in (None, request.tenant)

    @property
    def kind(self) -> tuple[str, str, str]:
        """Of these a narrower one stands in place of a wider one."""
        return (self.of, self.period, self.currency)

    @property
    def narrow(self) -> tuple[bool, bool]:
        """How closely it says whom it is about."""
        return (self.name is not None, self.tenant is not None)

    @property
    def period(self) -> Per:
        """The time it is for."""
        return "ever" if self.of == "task" else self.per

    def whose(self, request: ChatRequest) -> Whose:
        """Whose calls it counts."""
        return Whose(
            tenant=request.tenant,
            owner=request.owner if self.of == "owner" else None,
            task_id=request.task_id if self.of == "task" else None,
            per=self.period,
        )

    def check(self, request: ChatRequest, spent: Spent) -> None:
        """Refuses when it is used up.

        Raises:
            BudgetExceeded: says what was used of what.
        """
        if self.cost is None:
            used, most, unit = float(spent.tokens), float(self.tokens or 0), "tokens"
        else:
            used, most, unit = spent.nanos.get(self.currency, 0) / NANOS, self.cost, self.currency
        if used < most:
            return
        of = {"task": request.task_id, "owner": request.owner, "tenant": request.tenant}[self.of]
        period = "" if self.period == "ever" else f" / {self.period}"
        message = f"{self.of} {of or '–'}: {used:.10g} of {most:.10g} {unit}{period}"
        raise BudgetExceeded(message, of=self.of, used=used, budget=most, unit=unit, per=self.period)


def those(budgets: Sequence[Budget], request: ChatRequest) -> list[Budget]:
    """The budgets that this call is charged to: of each kind the one that names it most closely."""
    found: dict[tuple[str, str, str], Budget] = {}
    for one in sorted((one for one in budgets if one.means(request)), key=lambda one: one.narrow):
        found[one.kind] = one
    return list(found.values())


async def check(database: Database, budgets: Sequence[Budget], request: ChatRequest) -> None:
    """Refuses a call whose budget is used up.

    Raises:
        BudgetExceeded: it, and what was used.
    """
    for one in those(budgets, request):
        one.check(request, await database.read(ledger.spent, one.whose(request)))
