"""What the peers on PostgreSQL share: a database of their own, made for each metric, dropped at the end."""

from __future__ import annotations

import postgres
from system import System


class OnPostgres(System):
    """A peer says how it installs its tables and opens its client (`begin`), and how it closes that."""

    database: str

    def __init__(self) -> None:
        super().__init__()
        self.url = postgres.url_of(self.database)
        self._questions: postgres.Database | None = None

    @property
    def questions(self) -> postgres.Database:
        """The bench's own connection."""
        if self._questions is None:
            self._questions = postgres.Database(self.database)
        return self._questions

    async def begin(self) -> None:
        """Installs the tables and opens the client."""
        raise NotImplementedError

    async def leave(self) -> None:
        """Closes the client."""

    async def setup(self) -> None:
        await self._leave_all()
        postgres.create(self.database)
        await self.begin()

    async def settle(self) -> None:
        self.questions.settle()

    async def transactions(self) -> int:
        return self.questions.transactions()

    async def _leave_all(self) -> None:
        await self.leave()
        if self._questions is not None:
            self._questions.close()
            self._questions = None

    async def close(self) -> None:
        await self._leave_all()
        postgres.drop(self.database)
