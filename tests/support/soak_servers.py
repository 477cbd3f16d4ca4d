"""A database for one soak: a file, or a server of its own in the run's folder on a private port.

A server is started, crashed and started again by its process id; nothing else on the host is touched.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from duly.store.driver import choose
from support.cluster import until

READY_SECONDS = 60
#: How PostgreSQL says that it is there, but not the primary.
STANDBY = "hot standby"


class NotInstalled(Exception):
    """The server's programs are not on this host."""


@dataclass(frozen=True, slots=True)
class Host:
    """Where a process runs: its address for others, and the words before its command that take it there."""

    address: str = "127.0.0.1"
    enter: tuple[str, ...] = ()


HERE = Host()


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class File:
    """SQLite: nothing to start and nothing to restart."""

    kind = "sqlite"
    restarts = 0

    def __init__(self, folder: Path, _host: Host = HERE) -> None:
        self.url = f"sqlite:///{folder / 'duly.db'}"

    async def start(self) -> None:
        """A file is there when it is opened."""

    async def crash(self) -> None:
        """Nothing stands between a file and its users that could crash."""

    async def stop(self) -> None:
        """Nothing to stop."""


class Server:
    """One server process in `folder`; a subclass says how to make and to run one."""

    kind = ""
    account = ""
    #: What crashes it.
    blow = signal.SIGKILL
    #: What ends it in good order, whoever is connected.
    farewell = signal.SIGTERM

    def __init__(self, folder: Path, host: Host = HERE) -> None:
        self.home = folder / self.kind
        self.data = self.home / "data"
        self.host = host
        self.port = free_port()
        self.restarts = 0
        self._process: subprocess.Popen[bytes] | None = None

    def initial(self) -> list[str]:
        """The command that makes the data folder."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        raise NotImplementedError

    @property
    def admin(self) -> str:
        """The URL of a database that is there from the beginning."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The URL of the run's own database."""
        return self.admin.rpartition("/")[0] + "/duly"

    async def start(self) -> None:
        """Makes the data folder on the first call; returns when connections are taken."""
        first = not self.data.exists()
        if first:
            self._prepare()
        self._process = self._started()
        await until(self._answers, READY_SECONDS, every=0.05)
        if first:
            with closing(choose(self.admin).connect()) as connection:
                connection.cursor().execute("CREATE DATABASE duly")

    async def crash(self) -> None:
        """Ends it without a word, and starts it again: it recovers from its log."""
        await self._end(self.blow)
        await self.start()
        self.restarts += 1

    async def step_down(self) -> None:
        """From now on it is not the primary."""
        raise NotImplementedError

    async def step_up(self) -> None:
        """It is the primary again."""
        raise NotImplementedError

    async def revive(self) -> None:
        """Starts it again if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            await self.start()
            self.restarts += 1

    async def stop(self) -> None:
        """Ends it for good."""
        if self._process is not None:
            await self._end(self.farewell)

    def _started(self) -> subprocess.Popen[bytes]:
        with (self.home / "server.log").open("ab") as log:
            if not self.host.enter:
                return subprocess.Popen(self.command(), stdout=log, stderr=log, **self._as_account())
            become = ["setpriv", f"--reuid={self.account}", f"--regid={self.account}", "--clear-groups"]
            return subprocess.Popen([*self.host.enter, *become, *self.command()], stdout=log, stderr=log)

    async def _end(self, how: signal.Signals) -> None:
        process = self._process
        assert process is not None
        process.send_signal(how)
        await until(lambda: process.poll() is not None, READY_SECONDS, every=0.02)

    def _prepare(self) -> None:
        self.home.mkdir(mode=0o755)
        if os.geteuid() == 0:
            shutil.chown(self.home, self.account)
        made = subprocess.run(self.initial(), capture_output=True, text=True, **self._as_account())
        if made.returncode:
            raise NotInstalled(f"{self.kind}: {made.stderr or made.stdout}")
        self.let_in()

    def let_in(self) -> None:
        """Lets every host that reaches it in, without a password."""

    def _as_account(self) -> dict[str, object]:
        """Servers refuse to run as root."""
        if os.geteuid() != 0:
            return {"cwd": self.home}
        return {"user": self.account, "group": self.account, "extra_groups": [], "cwd": self.home}

    async def _answers(self) -> bool:
        process = self._process
        assert process is not None
        if process.poll() is not None:
            raise RuntimeError(f"{self.kind} ended: {(self.home / 'server.log').read_text()[-2000:]}")
        return await asyncio.to_thread(self._reached)

    def _reached(self) -> bool:
        driver = choose(self.admin)
        try:
            driver.connect().close()
        except driver.module.Error as error:
            return STANDBY in str(error)
        return True


class Postgres(Server):
    """PostgreSQL; SIGQUIT to its postmaster is what `pg_ctl stop -m immediate` does."""

    kind = "postgres"
    account = "postgres"
    blow = signal.SIGQUIT
    farewell = signal.SIGINT

    def initial(self) -> list[str]:
        words = [found("initdb"), "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        return [*words, "--locale=C", "--no-sync"]

    def let_in(self) -> None:
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all trust\n")

    def command(self) -> list[str]:
        settings = {"listen_addresses": self.host.address, "unix_socket_directories": ""}
        settings |= {"max_connections": "200"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [found("postgres"), "-D", str(self.data), "-p", str(self.port), *words]

    @property
    def admin(self) -> str:
        return f"postgresql://postgres@{self.host.address}:{self.port}/postgres"

    async def step_down(self) -> None:
        """Starts again as a standby: it can be read, and what connects as ever is not told apart."""
        await self._end(self.farewell)
        signal_file = self.data / "standby.signal"
        signal_file.touch()
        if os.geteuid() == 0:
            shutil.chown(signal_file, self.account, self.account)
        await self.start()

    async def step_up(self) -> None:
        promote = [found("pg_ctl"), "promote", "--wait", "-D", str(self.data)]
        await asyncio.to_thread(
            subprocess.run, promote, check=True, capture_output=True, **self._as_account()
        )


class MariaDB(Server):
    """MariaDB; kill -9 is its crash."""

    kind = "mariadb"
    account = "mysql"

    def initial(self) -> list[str]:
        words = [found("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db"]
        return [*words, "--auth-root-authentication-method=normal"]

    def let_in(self) -> None:
        statements = "CREATE USER IF NOT EXISTS root@'%';\nGRANT ALL ON *.* TO root@'%';\n"
        (self.home / "init.sql").write_text(statements)

    def command(self) -> list[str]:
        words = [found("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--port={self.port}"]
        words += [
            f"--bind-address={self.host.address}",
            "--skip-name-resolve",
            f"--init-file={self.home / 'init.sql'}",
            f"--socket={self.home / 'socket'}",
            f"--tmpdir={self.data}",
            "--max-connections=200",
        ]
        return [*words, f"--pid-file={self.home / 'pid'}", "--innodb-buffer-pool-size=64M"]

    @property
    def admin(self) -> str:
        return f"mysql://root@{self.host.address}:{self.port}/mysql"

    async def step_down(self) -> None:
        """Under open connections, which live on; root may still write here, and should not."""
        self._say("SET GLOBAL read_only = 1")

    async def step_up(self) -> None:
        self._say("SET GLOBAL read_only = 0")

    def _say(self, statement: str) -> None:
        with closing(choose(self.admin).connect()) as connection:
            connection.cursor().execute(statement)


DATABASES: dict[str, type[File] | type[Server]] = {"sqlite": File, "postgres": Postgres, "mariadb": MariaDB}


def found(program: str) -> str:
    """Where a program of a server is.

    Raises:
        NotInstalled: nowhere on this host.
    """
    newest: Sequence[Path] = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, newest), os.environ.get("PATH", ""), "/usr/sbin"])
    where = shutil.which(program, path=path)
    if where is None:
        raise NotInstalled(f"{program} is not on this host")
    return where
