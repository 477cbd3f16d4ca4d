"""The composition root: everything concrete is chosen here, in one constructor that reads top to bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from duly.clock import Clock, SystemClock
from duly.config import Settings
from duly.execute.batch import BATCHES
from duly.execute.bulk import BULKS
from duly.observe.logs import Log
from duly.runtime import credentials
from duly.runtime.declare import Duly
from duly.runtime.models import ModelDesk
from duly.store import migrate
from duly.store.database import Database
from duly.store.transaction import Terms
from duly.submit.callbacks import Callbacks
from duly.submit.client import Client
from duly.submit.endpoints import Endpoints
from duly.submit.gates import GateBook
from duly.submit.keys import KeyBook
from duly.submit.limits import LimitBook
from duly.submit.operator import Operator
from duly.submit.schedules import Schedules

if TYPE_CHECKING:
    from duly.deliver.jwks import Provider


class App:
    """One process's parts: database, client, log. Workers and the API add theirs in `runtime.worker`."""

    def __init__(self, settings: Settings, declared: Duly, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.declared = declared
        self.registry = declared.registry
        self.registry.add(BATCHES)
        self.registry.add(BULKS)
        self.clock = clock or SystemClock()
        self.log = Log(settings.log_format, settings.log_level, settings.log_file)
        self.emit = self.log.emit
        self.terms = Terms(
            lease_ms=round(settings.lease * 1000),
            retention_ms=round(settings.retention_days * 86_400_000),
            audit_ms=round(settings.audit_days * 86_400_000),
            upload_ms=round(settings.upload_days * 86_400_000),
            ledger_ms=round(settings.ledger_days * 86_400_000),
            public_url=settings.public_url.rstrip("/"),
        )
        self.database = Database(
            settings.database_url,
            clock=self.clock,
            emit=self.emit,
            terms=self.terms,
            listen_url=settings.database_listen_url or None,
        )
        self.client = Client(self.database, self.registry, emit=self.emit)
        self.schedules = Schedules(self.database, self.registry, emit=self.emit)
        self.operator = Operator(self.database, emit=self.emit)
        self.limits = LimitBook(self.database, emit=self.emit)
        self.endpoints = Endpoints(self.database, emit=self.emit)
        self.callbacks = Callbacks(self.database, emit=self.emit)
        self.keys = KeyBook(self.database, self.clock, settings.key_environment, emit=self.emit)
        self.provider = self._provider()
        self.models = ModelDesk(settings.llm, database=self.database, emit=self.emit, clock=self.clock)
        self.gates = GateBook(self.database, self.models.names, emit=self.emit)
        self._credentials: credentials.Credentials | None = None

    def _provider(self) -> Provider | None:
        """Who signs tokens of users elsewhere, if somebody does. Imported here: a worker starts sooner."""
        if not self.settings.jwks_url and not self.settings.jwks_file:
            return None
        from duly.deliver.jwks import provider_of

        return provider_of(self.settings, self.clock, emit=self.emit)

    async def start(self) -> None:
        """Makes or checks the schema and the credentials, and opens the database."""
        migrate.ensure(self.database)
        self._credentials = credentials.ensure(self.settings)
        self.database.open()
        self.models.warn()

    @property
    def credentials(self) -> credentials.Credentials:
        """The installation's secrets; they are there once the app has started."""
        if self._credentials is None:
            raise RuntimeError("start the app first")
        return self._credentials

    async def stop(self) -> None:
        """Finishes what is queued and closes."""
        await self.client.close()
        await self.models.close()
        self.database.close()
