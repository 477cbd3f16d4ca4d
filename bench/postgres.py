"""A PostgreSQL database of our own on the server that DULY_TEST_POSTGRES names; made, settled, dropped."""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

DEFAULT = "postgresql://postgres@127.0.0.1:5432/postgres"


def server_url() -> str:
    """Where the server is; its user must be able to make databases."""
    return os.environ.get("DULY_TEST_POSTGRES") or DEFAULT


def url_of(database: str) -> str:
    """The URL of a database on that server."""
    parts = urlsplit(server_url())
    return urlunsplit(parts._replace(path=f"/{database}"))


def create(database: str) -> None:
    """Makes it anew; one that a broken run left is dropped first."""
    drop(database)
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def drop(database: str) -> None:
    """Drops it and whoever is connected to it."""
    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database))
        )


class Database:
    """Questions of the bench itself, on a connection of its own."""

    def __init__(self, database: str) -> None:
        self._connection = psycopg.connect(url_of(database), autocommit=True)

    def settle(self) -> None:
        """Vacuum and checkpoint, so that neither falls into a measurement."""
        self._connection.execute("VACUUM ANALYZE")
        self._connection.execute("CHECKPOINT")

    def number(self, query: sql.SQL) -> int:
        """The one number that a query answers."""
        row = self._connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def transactions(self) -> int:
        """Transactions of this database so far, as the server's statistics know (a second late)."""
        return self.number(
            sql.SQL(
                "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            )
        )

    def durability(self) -> str:
        """The server's settings that decide it."""
        names = ("fsync", "synchronous_commit", "full_page_writes")
        rows = [self._connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
        return ", ".join(f"{name}={row[0]}" for name, row in zip(names, rows, strict=True) if row)

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
