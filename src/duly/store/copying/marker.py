"""The mark on a destination while it is filled: from where, and by which run. No process opens it so."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from duly.model.errors import InvalidInput
from duly.store.columns import STORAGE, key
from duly.store.copying.side import Side

#: Not of `schema`: it is there only while a copy is under way.
table = sa.Table(
    "duly_copy",
    sa.MetaData(),
    sa.Column("source", key(255), nullable=False),
    sa.Column("run", key(36), primary_key=True),
    **STORAGE,
)


def source_of(side: Side) -> str | None:
    """From where this database is being filled; None: it is not. An empty word: its last copy was all but
    done."""
    if not sa.inspect(side.core).has_table(table.name):
        return None
    return str(side.core.execute(sa.select(table.c.source)).scalar() or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """One run's hold on a destination. A later run takes it over, and this one's next write fails."""

    source: str
    run: str

    def take(self, side: Side) -> None:
        """Marks the destination, or takes it over."""
        table.create(side.core, checkfirst=True)
        with side.writing():
            side.core.execute(table.delete())
            side.core.execute(table.insert(), {"source": self.source, "run": self.run})

    def is_seen_by(self, side: Side) -> bool:
        """Whether the mark stands in that database too: then the two are one."""
        seen = sa.inspect(side.core).has_table(table.name)
        return seen and bool(
            side.core.execute(sa.select(table.c.run).where(table.c.run == self.run)).scalar()
        )

    def hold(self, side: Side) -> None:
        """Inside a transaction: nobody else fills the destination until it commits.

        Raises:
            InvalidInput: another run has taken over, or has ended the copy.
        """
        query = sa.select(table.c.run).where(table.c.run == self.run).with_for_update()
        try:
            held = side.core.execute(query).scalar() is not None
        except sa.exc.DBAPIError as error:
            if table.name not in str(error.orig):
                raise
            held = False
        if not held:
            raise InvalidInput("another `duly db copy` has taken over; this one stops")

    def remove(self, side: Side) -> None:
        """The destination may be opened. MariaDB ends a transaction before it drops a table."""
        with side.writing():
            self.hold(side)
            side.core.execute(table.delete())
            if side.driver.dialect != "mariadb":
                table.drop(side.core)
        if side.driver.dialect == "mariadb":
            table.drop(side.core)

    def give_up(self, side: Side) -> None:
        """The destination is no destination after all."""
        table.drop(side.core, checkfirst=True)
