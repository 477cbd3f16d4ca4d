"""Behind pgbouncer in transaction mode: nothing is prepared, nothing outlives a transaction, polling will do.

The pooler is a real one, on a port of its own, with one connection to the server: whatever a session of ours
left behind would be met by the next.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from duly.model.state import Status
from duly.store import submissions
from support import invariants, servers
from support.soak_servers import free_port
from support.stores import Store, opened_store, submission

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="pgbouncer is not installed"),
]
PATIENCE = 10.0
CONFIG = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
max_client_conn = 50
logfile = {folder}/log
pidfile =
"""


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the run's database through the pooler."""
    direct = urlsplit(servers.database_url("postgres"))
    folder, port = tmp_path_factory.mktemp("pooler"), free_port()
    path = folder / "pgbouncer.ini"
    server = {"host": direct.hostname, "port": direct.port or 5432, "user": direct.username or "postgres"}
    path.write_text(CONFIG.format(**server, listen=port, folder=folder))
    user = "nobody" if os.geteuid() == 0 else None  # it refuses root
    if user:
        _open_to_all(folder)
    pooler = subprocess.Popen(["pgbouncer", "-q", str(path)], user=user)
    try:
        _wait_for(port, pooler)
        yield direct._replace(netloc=f"{direct.username or 'postgres'}@127.0.0.1:{port}").geturl()
    finally:
        pooler.terminate()
        pooler.wait(PATIENCE)


def _open_to_all(folder: Path) -> None:
    folder.chmod(0o777)
    for parent in folder.parents[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)


def _wait_for(port: int, pooler: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert pooler.poll() is None, "pgbouncer did not start"
        with socket.socket() as one:
            one.settimeout(0.05)
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise AssertionError("pgbouncer does not listen")


@pytest.fixture
def store(pooled: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store that reaches the server through the pooler only."""
    servers.clear(servers.database_url("postgres"))
    one = opened_store(pooled, listen_url="none")
    yield one
    one.database.close()
    invariants.check(one.database)


def test_a_task_lives_its_life_through_a_pooler(store: Store) -> None:
    """Many times, so that a statement prepared on another connection would be met."""
    for _ in range(20):
        claimed = store.running()
        assert store.finish(claimed) is Status.COMPLETED
        assert store.status(claimed.id) is Status.COMPLETED


def test_two_processes_share_one_connection(store: Store, pooled: str) -> None:
    """The pooler gives each transaction to whoever asks; none sees the other's settings."""
    other = opened_store(pooled, store.clock, listen_url="none")
    try:
        for writer in (store, other, store, other):
            writer.write(submissions.submit, *[submission() for _ in range(30)])
        assert len(other.claim(free=200)) == len(store.rows("SELECT id FROM task")) == 120
    finally:
        other.database.close()


def test_a_session_leaves_nothing_behind(store: Store, pooled: str) -> None:
    """What our transactions set is gone with them: the next client finds the server's own settings."""
    store.submit()
    plain = store.database.driver.module.connect(pooled, autocommit=True)
    with plain:
        shown = [
            plain.execute(f"SHOW {name}").fetchone()[0] for name in ("enable_seqscan", "statement_timeout")
        ]
    assert shown == ["on", "0"]


def test_hints_come_by_the_way_around_it(pooled: str) -> None:
    """With a direct URL for LISTEN, a commit made through the pooler is heard of at once."""
    direct = servers.database_url("postgres")
    servers.clear(direct)
    one, other = (opened_store(pooled, listen_url=direct) for _ in range(2))
    try:
        heard = threading.Event()
        other.database.subscribe(lambda foreign: foreign and heard.set())
        for _ in range(20):
            one.submit()
            if heard.wait(0.5):
                break
        assert heard.is_set()
    finally:
        one.database.close()
        other.database.close()
