"""What migrations are written with: column types and tables as each database wants them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from duly.failpoints import failpoint


def key(length: int) -> sa.types.TypeEngine[str]:
    """Text that is compared byte by byte on every database."""
    ours = sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")
    return ours.with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")


def text() -> sa.types.TypeEngine[str]:
    """Text without a limit."""
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def body() -> sa.types.TypeEngine[bytes]:
    """Bytes without a limit."""
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _again() -> dict[str, Any]:
    """Where a statement that changes tables ends its transaction, a migration that was cut off is done again
    over what it left."""
    return {"if_not_exists": True} if getattr(op.get_bind().dialect, "is_mariadb", False) else {}


def create_index(name: str, table: str, columns: list[str], **options: Any) -> None:
    """An index; where it is already, nothing."""
    op.create_index(name, table, columns, **_again(), **options)


def add_column(table: str, column: sa.Column[Any]) -> None:
    """A column of a table; where it is already, nothing."""
    op.add_column(table, column, **_again())


def drop_column(table: str, name: str) -> None:
    """Takes a column away; where it is gone already, nothing."""
    op.drop_column(table, name, if_exists=bool(_again()) or None)


def table(name: str, *parts: Any, **options: Any) -> None:
    """A table; where it is already, nothing."""
    mysql: dict[str, Any] = {
        "mysql_engine": "InnoDB",
        "mysql_charset": "utf8mb4",
        "mysql_collate": "utf8mb4_bin",
    }
    op.create_table(name, *parts, **mysql, **_again(), **options)
    failpoint("migration.table")


def drop_index(table: str, name: str) -> None:
    """Takes an index away; where it is gone already, nothing."""
    op.drop_index(name, table, if_exists=bool(_again()) or None)


def index(name: str, *columns: str, where: str, unique: bool = False, of: str = "task") -> None:
    """An index of some rows; MariaDB has none such: there of all, status in front if that decides."""
    if op.get_bind().dialect.name == "mysql":
        first = ["status"] if where.startswith("status") else []
        create_index(name, of, [*first, *columns], unique=unique)
        return
    condition = sa.text(where)
    create_index(name, of, list(columns), unique=unique, postgresql_where=condition, sqlite_where=condition)
