"""API keys as an administrator handles them. A key's text is answered once, when it is made or rotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from duly.clock import Clock
from duly.model.access import ApiKey, role_of, scopes_of
from duly.model.errors import InvalidInput, KeyNotFound
from duly.model.events import Emit
from duly.model.task import check_text
from duly.store import keys
from duly.store.audit import Entry
from duly.store.database import Database

Row = dict[str, Any]
#: How long the secret before a rotation stays good, in seconds, when nobody says.
OVERLAP_SECONDS = 86_400.0
LONGEST_SECONDS = 100 * 366 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """What a key is for: whose tasks, which role and scopes (none: the role's), for how many seconds."""

    name: str
    owner: str = ""
    tenant: str = ""
    role: str = "user"
    scopes: Sequence[str] = ()
    lifetime: float | None = None

    def __post_init__(self) -> None:
        if not check_text(self.name, "name", 100):
            raise InvalidInput("a key needs a name, so that whoever finds it knows what it is for")
        check_text(self.owner, "owner", 64)
        check_text(self.tenant, "tenant", 64)
        role = role_of(self.role)
        if not self.owner and not role.sees_all:
            raise InvalidInput(f"a key of the role {role} needs an owner: whose tasks it is for")
        scopes_of(self.scopes, role)
        if self.lifetime is not None and not 1 <= self.lifetime <= LONGEST_SECONDS:
            raise InvalidInput("a key lives a second to 100 years; leave it out for one without an end")


class KeyBook:
    """Makes, lists, rotates and revokes keys, through one database."""

    def __init__(self, database: Database, clock: Clock, environment: str, *, emit: Emit) -> None:
        self._database = database
        self._clock = clock
        self._environment = environment
        self._emit = emit

    async def make(self, wanted: KeyRequest, by: Entry) -> tuple[Row, str]:
        """A new key, and its text."""
        key = ApiKey.new(self._environment)
        role = role_of(wanted.role)
        lifetime = wanted.lifetime
        expires_at = None if lifetime is None else self._clock.now_ms() + round(lifetime * 1000)
        new = keys.NewKey(
            id=key.id,
            secret_hash=key.secret_hash,
            name=wanted.name,
            role=role,
            scopes=" ".join(scopes_of(wanted.scopes, role)),
            tenant=wanted.tenant,
            owner=wanted.owner,
            by=by.owner or by.credential,
            expires_at=expires_at,
            entry=replace(by, action="key.create", object=key.id),
        )
        row = await self._database.write(keys.make, new)
        self._emit("key.created", key=key.id, name=wanted.name, role=wanted.role, owner=wanted.owner)
        return row, key.text

    async def rotate(self, id_: str, by: Entry, overlap: float = OVERLAP_SECONDS) -> tuple[Row, str]:
        """The key's next secret; the present one stays good for `overlap` seconds.

        Raises:
            KeyNotFound: there is no such key, or it is revoked.
        """
        if not 0 <= overlap <= 366 * 86_400:
            raise InvalidInput("the overlap is 0 seconds to a year")
        key = ApiKey.new(self._environment, check_text(id_, "id", 36))
        entry = replace(by, action="key.rotate", object=id_)
        wanted = keys.Rotation(
            id=id_, secret_hash=key.secret_hash, overlap_ms=round(overlap * 1000), entry=entry
        )
        row = await self._database.write(keys.rotate, wanted)
        if row is None:
            raise KeyNotFound(f"there is no living key {id_}; duly key list shows those that there are")
        self._emit("key.rotated", key=id_, overlap=overlap)
        return row, key.text

    async def revoke(self, id_: str, by: Entry) -> Row:
        """From the answer on the key opens nothing, nor do browser sessions begun with it.

        Raises:
            KeyNotFound: there is no such key.
        """
        entry = replace(by, action="key.revoke", object=check_text(id_, "id", 36))
        row: Row | None = await self._database.write(keys.revoke, keys.Revocation(id=id_, entry=entry))
        if row is None:
            raise KeyNotFound(f"there is no key {id_}; duly key list shows those that there are")
        self._emit("key.revoked", key=id_)
        return row

    async def page(self, *, after: str = "", limit: int = 1000) -> list[Row]:
        """Keys by id, behind `after`, without their secrets."""
        return await self._database.read(keys.page, after=after, limit=limit)
