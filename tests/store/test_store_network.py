"""A server that is silent: its connection stands, what it is sent is acknowledged, and no answer comes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from duly.model.errors import NotReady
from duly.store import lists, loopline, mariadb, network, postgres, submissions, writer
from duly.store.database import Database
from duly.store.driver import Trouble, choose
from support import servers
from support.cluster import PATIENCE as HANGING
from support.cluster import until
from support.proxy import Proxy, proxy
from support.stores import submission

pytestmark = pytest.mark.services

#: What is waited for an answer here, and how long a test may be kept in suspense.
PATIENCE = 1.0


@pytest.fixture(params=servers.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def between(kind: str) -> Iterator[Proxy]:
    """A proxy before the server."""
    place = urlsplit(servers.database_url(kind))
    with proxy(place.hostname or "", place.port or 0) as one:
        yield one


@pytest.fixture
def url(kind: str, between: Proxy, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database behind the proxy, for who is impatient."""
    address = servers.database_url(kind)
    servers.clear(address)
    monkeypatch.setattr(postgres._Connection, "answer_seconds", PATIENCE)
    monkeypatch.setattr(loopline, "ANSWER_SECONDS", PATIENCE)
    monkeypatch.setattr(mariadb, "ANSWER_SECONDS", PATIENCE)
    parts = urlsplit(address)
    return parts._replace(netloc=f"{parts.username}@127.0.0.1:{between.port}").geturl()


@contextlib.asynccontextmanager
async def in_time(between: Proxy) -> AsyncIterator[None]:
    """What is in here ends by itself; else it is let go after a while, and that is a failure."""
    begun = time.monotonic()
    timer = asyncio.get_running_loop().call_later(HANGING, between.cut)
    try:
        yield
    finally:
        timer.cancel()
        assert time.monotonic() - begun < HANGING, "it would have waited for ever"


async def taken(database: Database) -> bool:
    """Whether a submission is accepted now."""
    try:
        await database.write(submissions.submit, submission())
    except NotReady:
        return False
    return True


async def test_an_answer_that_does_not_come_is_a_lost_connection(url: str, between: Proxy) -> None:
    """libpq and PyMySQL alone would wait for ever, or for minutes."""
    driver = choose(url)
    connection = await asyncio.to_thread(driver.connect)
    with closing(connection):
        between.stall()
        with pytest.raises(driver.module.Error) as caught:
            async with in_time(between):
                await asyncio.to_thread(driver.now, connection)
        assert driver.trouble(caught.value) is Trouble.LOST


async def test_a_server_that_does_not_even_greet_is_lost_too(url: str, between: Proxy) -> None:
    """A connection is taken, and nobody speaks."""
    driver = choose(url)
    between.stall()
    with pytest.raises(driver.module.Error) as caught:
        async with in_time(between):
            await asyncio.to_thread(driver.connect)
    assert driver.trouble(caught.value) is Trouble.LOST


async def test_a_submission_to_a_silent_server_is_told_so(
    url: str, between: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those behind it; and when the server speaks again, work is taken again."""
    monkeypatch.setattr(writer, "AWAY_SECONDS", PATIENCE)
    monkeypatch.setitem(network.LIBPQ, "connect_timeout", 1)
    database = Database(url)
    database.open()
    try:
        await database.write(submissions.submit, submission())
        between.stall()
        async with in_time(between):
            asked = [database.write(submissions.submit, submission()) for _ in range(3)]
            told = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in told] == [NotReady] * 3
        between.cut()
        between.heal()
        await until(lambda: taken(database), HANGING)
    finally:
        between.cut()
        between.heal()
        await asyncio.to_thread(database.close)


async def test_a_reader_of_a_silent_server_is_told_so(url: str, between: Proxy) -> None:
    """It does not wait for ever either."""
    database = Database(url)
    database.open()
    try:
        await database.read(lists.statuses, [])
        between.stall()
        with pytest.raises(NotReady):
            async with in_time(between):
                await database.read(lists.statuses, [])
    finally:
        between.cut()
        between.heal()
        await asyncio.to_thread(database.close)


@pytest.mark.parametrize("option", ["SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_USER_TIMEOUT"])
async def test_the_kernel_looks_after_a_connection_that_is_idle(url: str, option: str) -> None:
    """One whose other end is gone is found out in seconds, not in two hours; also the one that listens."""
    driver = choose(url)
    with closing(await asyncio.to_thread(driver.connect)) as connection:
        of_mariadb = getattr(connection, "_sock", None)
        number = of_mariadb.fileno() if of_mariadb is not None else connection.fileno()
        with socket.socket(fileno=os.dup(number)) as end:
            if option == "SO_KEEPALIVE":
                assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            else:
                within = end.getsockopt(socket.IPPROTO_TCP, getattr(socket, option))
                assert 0 < within <= {"TCP_KEEPIDLE": 10, "TCP_USER_TIMEOUT": 6000}[option]
