"""What the tables are written with: how each database stores them, column types, indexes of some rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, LargeBinary, MetaData, String, Text, text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from duly.model.state import Status

metadata = MetaData()

#: Keys compare byte by byte on MariaDB.
STORAGE: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}
#: The hot table on PostgreSQL: room in each page for a row's next version, vacuum long before 20 % are dead.
HOT: dict[str, Any] = {
    "postgresql_with": {
        "fillfactor": 80,
        "autovacuum_vacuum_scale_factor": 0.02,
        "autovacuum_vacuum_insert_scale_factor": 0.1,
        "autovacuum_analyze_scale_factor": 0.05,
        "autovacuum_vacuum_cost_limit": 2000,
    }
}

LongText: TypeEngine[str] = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Body: TypeEngine[bytes] = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def key(length: int) -> TypeEngine[str]:
    """Text that is compared byte by byte: 'A' and 'a' are two keys on every database."""
    ours = String(length).with_variant(String(length, collation="C"), "postgresql")
    return ours.with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def index(
    name: str, *columns: str, where: str, unique: bool = False, sqlite: tuple[str, ...] = ()
) -> list[Index]:
    """An index of some rows; MariaDB has none such: there of all rows, status in front if that decides.

    `sqlite`: the columns of what SQLite has in its place, of all rows.
    """
    condition = text(where)
    some = Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)
    first = ("status",) if where.startswith("status") else ()
    forms = [_only(Index(name, *first, *columns, unique=unique), "mysql")]
    if not sqlite:
        return [_only(some, "postgresql", "sqlite"), *forms]
    return [_only(some, "postgresql"), _only(Index(name, *sqlite), "sqlite"), *forms]


def by_time(name: str, column: str) -> Index:
    """An index of rows that are written in about this order: on PostgreSQL of blocks, which costs an insert
    next to nothing; on SQLite none, for rowids have that order."""
    blocks = {"pages_per_range": 32, "autosummarize": True}
    one = Index(name, column, postgresql_using="brin", postgresql_with=blocks)
    return _only(one, "postgresql", "mysql")


def _only(one: Index, *dialects: str) -> Index:
    """The index, for these databases alone."""
    one.info["only"] = dialects
    one.ddl_if(callable_=lambda *_, dialect, **__: bool(dialect.name in dialects))
    return one


def statuses() -> str:
    """The condition that a status is one of the table of states."""
    return "status IN (" + ", ".join(f"'{status}'" for status in Status) + ")"
