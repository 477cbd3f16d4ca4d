"""Endpoints from outside: what is asked for becomes a valid one; steering them and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import uuid_utils

from duly.model.delivery import Endpoint, EndpointWish
from duly.model.errors import DeliveryNotFound, EndpointNotFound, InvalidInput, StateConflict
from duly.model.events import Emit
from duly.model.signing import PRIVATE, check_secret, new_secret
from duly.model.task import check_text
from duly.store import delivery_lists, endpoints
from duly.store.database import Database
from duly.store.delivery_lists import Wanted
from duly.store.endpoints import Change, Rotation

#: How long a secret that was rotated goes on signing.
WINDOW_SECONDS = 86_400.0
_LONGEST_WINDOW = 30 * 86_400.0
_WORDS = frozenset(EndpointWish.__dataclass_fields__)
Owner = tuple[str, str] | None


class Endpoints:
    """All that can be asked of endpoints, through one database. `owner`, a (tenant, owner), is the only one
    whose endpoints and deliveries are seen; None sees all."""

    def __init__(self, database: Database, *, emit: Emit) -> None:
        self._database = database
        self._emit = emit

    async def add(
        self,
        tenant: str,
        owner: str,
        words: Mapping[str, Any],
        *,
        secret: str | None = None,
        ed25519: bool = False,
    ) -> Endpoint:
        """Keeps an endpoint of this owner, who is told of all ends that are committed from now on.

        Args:
            tenant: its tenant.
            owner: whose ends.
            words: fields of `EndpointWish`.
            secret: one that the receiver has already; else a fresh one is made.
            ed25519: sign with a private key, so that the receiver holds no secret.

        Raises:
            InvalidInput: a word, or a secret, that is none.
            StateConflict: the owner has too many.
        """
        made = Endpoint(
            id=str(uuid_utils.uuid7()),
            tenant=check_text(tenant, "tenant", 64),
            owner=check_text(owner, "owner", 64),
            wish=_wish(words),
            secrets=((_secret(secret, ed25519=ed25519), None),),
        )
        if not await self._database.write(endpoints.add, made):
            raise StateConflict(f"an owner has at most {endpoints.MOST} endpoints", code="too_many_endpoints")
        self._emit("endpoint.added", endpoint_id=made.id, tenant=tenant, owner=owner)
        return await self.get(made.id)

    async def get(self, id_: str, *, owner: Owner = None) -> Endpoint:
        """One endpoint.

        Raises:
            EndpointNotFound: there is none, or it is somebody else's: the same answer.
        """
        found = await self._database.read(endpoints.get, id_)
        if found is None or owner not in (None, (found.tenant, found.owner)):
            raise EndpointNotFound(f"there is no endpoint {id_}")
        return found

    async def page(self, *, owner: Owner = None, after: str = "", limit: int = 100) -> list[Endpoint]:
        """The endpoints behind `after` by id, which ascend in time."""
        return await self._database.read(endpoints.page, *(owner or (None, None)), after=after, limit=limit)

    async def change(self, id_: str, words: Mapping[str, Any], *, owner: Owner = None) -> Endpoint:
        """Other words for it; what is absent stays as it is.

        Raises:
            EndpointNotFound: see `get`.
            InvalidInput: a word that is none.
        """
        before = (await self.get(id_, owner=owner)).wish
        wish = _wish({**{word: getattr(before, word) for word in _WORDS}, **words})
        return await self._changed(id_, endpoints.columns(wish), "endpoint.changed")

    async def rotate(
        self,
        id_: str,
        *,
        owner: Owner = None,
        secret: str | None = None,
        ed25519: bool | None = None,
        window: float = WINDOW_SECONDS,
    ) -> Endpoint:
        """A new secret, which signs first; the old one signs too for `window` seconds. `ed25519` None: the
        same kind as before.

        Raises:
            EndpointNotFound: see `get`.
            InvalidInput: a secret or a window that is none.
        """
        if not 0 <= window <= _LONGEST_WINDOW:
            raise InvalidInput("the window must be 0 seconds to 30 days")
        before = await self.get(id_, owner=owner)
        if ed25519 is None:
            ed25519 = before.secrets[0][0].startswith(PRIVATE)
        fresh = _secret(secret, ed25519=ed25519)
        rotation = Rotation(id=id_, secret=fresh, window_ms=round(window * 1000))
        if not await self._database.write(endpoints.rotate, rotation):
            raise EndpointNotFound(f"there is no endpoint {id_}")
        self._emit("endpoint.rotated", endpoint_id=id_)
        return await self.get(id_)

    async def enable(self, id_: str, *, owner: Owner = None) -> Endpoint:
        """Ends are told to it again, from now on."""
        await self.get(id_, owner=owner)
        return await self._changed(
            id_, {"enabled": 1, "reason": None, "failing_since": None}, "endpoint.enabled"
        )

    async def disable(self, id_: str, *, owner: Owner = None, reason: str | None = None) -> Endpoint:
        """Nothing is told to it any more; what is still owed to it ends as dead, and can be sent again."""
        await self.get(id_, owner=owner)
        why = None if reason is None else check_text(reason, "reason", 200)
        return await self._changed(id_, {"enabled": 0, "reason": why}, "endpoint.disabled")

    async def remove(self, id_: str, *, owner: Owner = None) -> None:
        """Forgets it."""
        await self.get(id_, owner=owner)
        await self._database.write(endpoints.remove, id_)
        self._emit("endpoint.removed", endpoint_id=id_)

    async def deliveries(self, wanted: Wanted, *, owner: Owner = None) -> list[dict[str, Any]]:
        """Deliveries, newest first, with what became of each send."""
        if wanted.endpoint is not None:
            await self.get(wanted.endpoint, owner=owner)
        return await self._database.read(delivery_lists.page, replace(wanted, owner=owner))

    async def delivery(self, id_: str, *, owner: Owner = None) -> dict[str, Any]:
        """One of them.

        Raises:
            DeliveryNotFound: there is none, or it is somebody else's: the same answer.
        """
        found = await self._database.read(delivery_lists.page, Wanted(id=id_, owner=owner))
        if not found or found[0]["id"] != id_:
            raise DeliveryNotFound(f"there is no delivery {id_}")
        return found[0]

    async def resend(self, id_: str, *, owner: Owner = None) -> dict[str, Any]:
        """Owes a dead delivery again, at once, with the same id.

        Raises:
            DeliveryNotFound: see `delivery`.
            StateConflict: it is not dead.
        """
        await self.delivery(id_, owner=owner)
        if not await self._database.write(endpoints.resend, id_):
            raise StateConflict("only a dead delivery can be sent again", code="delivery_not_dead")
        self._emit("delivery.resent", delivery_id=id_)
        return await self.delivery(id_)

    async def resend_dead(self, id_: str, *, owner: Owner = None) -> int:
        """Owes all dead deliveries of an endpoint again, at most 1000 a call; how many."""
        await self.get(id_, owner=owner)
        count: int = await self._database.write(endpoints.resend_dead, id_)
        self._emit("endpoint.resent", endpoint_id=id_, deliveries=count)
        return count

    async def _changed(self, id_: str, values: Mapping[str, Any], event: str) -> Endpoint:
        if not await self._database.write(endpoints.change, Change(id=id_, values=values)):
            raise EndpointNotFound(f"there is no endpoint {id_}")
        self._emit(event, endpoint_id=id_)
        return await self.get(id_)


def _wish(words: Mapping[str, Any]) -> EndpointWish:
    if unknown := words.keys() - _WORDS:
        raise InvalidInput(f"an endpoint has no {', '.join(sorted(unknown))}")
    lists = {name: tuple(words[name]) for name in ("events", "task_types") if name in words}
    return EndpointWish(**{**words, **lists})


def _secret(given: str | None, *, ed25519: bool) -> str:
    if given is None:
        return new_secret(ed25519=ed25519)
    if ed25519:
        raise InvalidInput("a private key is made here; leave the secret out")
    return check_secret(given)
