"""Only the primary decides: a server that is a standby for a while is as good as away, whoever asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest

from duly.model.errors import NotReady
from duly.model.state import Status
from duly.runtime.ward import Unreachable, Ward
from duly.store import migrate
from duly.store.database import Database
from duly.store.driver import Trouble, choose
from duly.testing import FakeClock
from support.servers import ADMIN
from support.soak_servers import DATABASES, NotInstalled, Server
from support.stores import Store

pytestmark = pytest.mark.services
on_each = pytest.mark.parametrize("kind", ["postgres", "mariadb"])


def reachable(folder: Path) -> Path:
    """The folder, open to a server's account."""
    folder.chmod(0o755)
    return folder


@pytest.fixture
async def server(kind: str) -> AsyncIterator[Server]:
    """One of its own, for others are to find theirs as they left it."""
    with TemporaryDirectory(prefix="duly-primary-") as name:
        made = DATABASES[kind](reachable(Path(name)))
        assert isinstance(made, Server)
        try:
            await made.start()
        except NotInstalled as error:
            pytest.skip(str(error))
        yield made
        await made.stop()


@pytest.fixture
def store(server: Server, monkeypatch: pytest.MonkeyPatch) -> Store:
    """One that gives up soon."""
    monkeypatch.setattr("duly.store.writer.AGAIN_AFTER", (0.01,))
    database = Database(server.url, clock=FakeClock())
    migrate.ensure(database)
    database.open()
    return Store(database, FakeClock())


@on_each
async def test_nothing_is_decided_elsewhere(server: Server, store: Store) -> None:
    """Every verb and every reader may ask again; what they were connected to is asked no more; once the
    server is the primary all goes on, and a result that was paid for is kept."""
    claimed, driver = store.running(), store.database.driver
    ward = Ward(driver, store.database.terms, store.clock)
    assert ward.renew("w1")
    await server.step_down()
    for ask in (store.submit, lambda: store.finish(claimed), lambda: store.status(claimed.id)):
        with pytest.raises(NotReady) as told:
            ask()
        assert type(told.value) is NotReady
    with pytest.raises(Unreachable):
        ward.renew("w1")
    with pytest.raises(NotReady, match=r"standby|read-only") as told:
        store.database.examine()
    assert type(told.value) is NotReady
    await server.step_up()
    assert ward.renew("w1")
    assert store.finish(claimed) is Status.COMPLETED
    store.database.close()


@pytest.mark.parametrize("kind", ["postgres"])
async def test_of_several_hosts_the_primary(server: Server) -> None:
    """A URL may name them all."""
    await server.step_down()
    primary = urlsplit(ADMIN["postgres"])
    both = f"127.0.0.1:{server.port},{primary.hostname}:{primary.port}"
    driver = choose(f"postgresql://{primary.username}@{both}/postgres")
    for read_only in (False, True):
        with closing(driver.connect(read_only=read_only)) as connection:
            assert driver.begin(connection)
            assert connection.info.port == primary.port
    assert driver.place == f"postgresql://{both}/postgres"


@on_each
async def test_what_it_says_costs_the_connection(server: Server, store: Store) -> None:
    """Behind the same address the primary may be another server."""
    driver = store.database.driver
    old = driver.connect()
    await server.step_down()
    with pytest.raises(driver.module.Error) as caught:
        driver.begin(old)
    assert driver.trouble(caught.value) is Trouble.LOST
    store.database.close()
