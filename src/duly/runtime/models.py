"""Who asks models in this process: the desk over the configured providers, made at the first call.

The SDK takes a second to import; a process that asks no model never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duly.clock import Clock
from duly.llm import budgets, providers
from duly.model.chat import ChatAnswer, ChatRequest, ModelFailed, Told, no_models
from duly.model.events import Emit
from duly.store.database import Database

if TYPE_CHECKING:
    from duly.llm.desk import Desk


class ModelDesk:
    """`Models` of one process; the table is checked when it is made.

    Raises:
        SettingsError: what is wrong with the table, all at once.
    """

    def __init__(self, table: dict[str, Any], *, database: Database, emit: Emit, clock: Clock) -> None:
        self._table, self._providers = providers.read(table)
        self._database, self._emit, self._clock = database, emit, clock
        self._desk: Desk | None = None

    @property
    def names(self) -> list[str]:
        """The providers that are configured and asked over a network."""
        return [one.name for one in self._providers if one.kind != "offline"]

    @property
    def idle(self) -> bool:
        """Whether this process has asked no model yet."""
        return self._desk is None

    def warn(self) -> None:
        """Logs what is allowed and not advised."""
        for line in providers.warnings(self._table, self._providers):
            self._emit("llm.warning", message=line)

    async def __call__(self, request: ChatRequest, told: Told) -> ChatAnswer:
        """The answer; see `duly.llm.desk.Desk`.

        Raises:
            BudgetExceeded: nobody was asked.
        """
        if not self._providers:
            return await no_models(request, told)
        if any(one.kind != "offline" and one.serves(request.model) for one in self._providers):
            await budgets.check(self._database, self._table.budget, request)
        if self._desk is None:
            self._desk = self._made()
        return await self._desk(request, told)

    def _made(self) -> Desk:
        try:
            from duly.llm.desk import Desk
        except ImportError as error:
            raise ModelFailed(f"pip install 'duly[llm]' ({error})", code="no_provider") from None
        told: dict[str, Any] = {"emit": self._emit, "clock": self._clock}
        return Desk(self._table, self._providers, database=self._database, **told)

    async def close(self) -> None:
        """Closes its connections."""
        if self._desk is not None:
            await self._desk.close()
