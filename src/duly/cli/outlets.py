"""What commands ask of endpoints, deliveries and inboxes: of the database, or of a server's API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast
from urllib.parse import quote

from duly.cli.trail import traced
from duly.observe.deliveries import delivery_wire, endpoint_wire, notification_wire
from duly.runtime.app import App
from duly.store import inbox
from duly.store.delivery_lists import Wanted

Json = dict[str, Any]


class OutletDesk(Protocol):
    """All of it, in the API's JSON."""

    async def add(self, words: Mapping[str, Any]) -> Json:
        """Makes an endpoint; `words` are the API's request fields. The answer shows its secret."""
        ...

    async def page(self, whose: Mapping[str, str]) -> list[Json]:
        """The endpoints of one owner, or all."""
        ...

    async def get(self, id_: str) -> Json:
        """One of them."""
        ...

    async def rotate(self, id_: str, words: Mapping[str, Any]) -> Json:
        """Gives it a new secret, which the answer shows."""
        ...

    async def steer(self, id_: str, word: str) -> Json:
        """`enable` or `disable`; the endpoint from then on."""
        ...

    async def test(self, id_: str) -> Json:
        """Sends it a test event: outcome, code, error."""
        ...

    async def resend(self, id_: str) -> Json:
        """Owes its dead deliveries again: resent."""
        ...

    async def remove(self, id_: str) -> None:
        """Forgets it."""
        ...

    async def deliveries(self, wanted: Mapping[str, str]) -> list[Json]:
        """Deliveries, newest first; the words are the API's."""
        ...

    async def redeliver(self, id_: str) -> Json:
        """Owes one dead delivery again."""
        ...

    async def lines(self, wanted: Mapping[str, str]) -> list[Json]:
        """Lines of an inbox; the words are the API's."""
        ...

    async def mark(self, words: Mapping[str, Any]) -> Json:
        """Marks lines of an inbox: changed, unread, latest."""
        ...


class LocalOutlets:
    """Answers from the store."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._book = app.endpoints

    @traced("endpoint.create", made="id")
    async def add(self, words: Mapping[str, Any]) -> Json:
        """Makes an endpoint."""
        own = {name: words[name] for name in ("secret", "ed25519") if name in words}
        rest = {
            name: one for name, one in words.items() if name not in ("secret", "ed25519", "tenant", "owner")
        }
        made = await self._book.add(words.get("tenant", ""), words.get("owner", ""), rest, **own)
        return endpoint_wire(made, secret="secret" not in words)

    async def page(self, whose: Mapping[str, str]) -> list[Json]:
        """The endpoints of one owner, or all."""
        owner = (whose.get("tenant", ""), whose.get("owner", "")) if whose else None
        found: list[Json] = []
        while rows := await self._book.page(owner=owner, after=found[-1]["id"] if found else ""):
            found += [endpoint_wire(one) for one in rows]
        return found

    async def get(self, id_: str) -> Json:
        """One of them."""
        return endpoint_wire(await self._book.get(id_))

    @traced("endpoint.rotate")
    async def rotate(self, id_: str, words: Mapping[str, Any]) -> Json:
        """Gives it a new secret."""
        return endpoint_wire(await self._book.rotate(id_, **words), secret=True)

    @traced("endpoint.{1}")
    async def steer(self, id_: str, word: str) -> Json:
        """`enable` or `disable`."""
        return endpoint_wire(await getattr(self._book, word)(id_))

    @traced("endpoint.test")
    async def test(self, id_: str) -> Json:
        """Sends it a test event."""
        from duly.runtime.channels import tested

        return await tested(self._app, await self._book.get(id_))

    @traced("endpoint.resend")
    async def resend(self, id_: str) -> Json:
        """Owes its dead deliveries again."""
        return {"resent": await self._book.resend_dead(id_)}

    @traced("endpoint.remove")
    async def remove(self, id_: str) -> None:
        """Forgets it."""
        await self._book.remove(id_)

    async def deliveries(self, wanted: Mapping[str, str]) -> list[Json]:
        """Deliveries, newest first."""
        words: dict[str, Any] = {**wanted, "limit": int(wanted.get("limit", "100"))}
        return [delivery_wire(row) for row in await self._book.deliveries(Wanted(**words))]

    @traced("delivery.resend")
    async def redeliver(self, id_: str) -> Json:
        """Owes one dead delivery again."""
        return delivery_wire(await self._book.resend(id_))

    async def lines(self, wanted: Mapping[str, str]) -> list[Json]:
        """Lines of an inbox."""
        whose = (wanted.get("tenant", ""), wanted.get("owner", ""))
        unread = True if "unread" in wanted else None
        place = (int(wanted.get("after", "0")), int(wanted.get("limit", "100")))
        rows = await self._app.database.read(inbox.page, *whose, *place, unread=unread)
        return [notification_wire(row) for row in rows]

    @traced("notifications.read", places=0)
    async def mark(self, words: Mapping[str, Any]) -> Json:
        """Marks lines of an inbox."""
        tenant, owner = words.get("tenant", ""), words.get("owner", "")
        ids = tuple(words["ids"]) if "ids" in words else None
        chosen = inbox.Mark(tenant=tenant, owner=owner, ids=ids, up_to=words.get("up_to"))
        changed = await self._app.database.write(inbox.mark, chosen)
        return {"changed": changed, **await self._app.database.read(inbox.stats, tenant, owner)}


class HttpOutlets:
    """Answers what the server answers."""

    def __init__(self, ask: Callable[..., Awaitable[Json]]) -> None:
        self._ask = ask

    async def add(self, words: Mapping[str, Any]) -> Json:
        """Makes an endpoint."""
        return await self._ask("POST", "/api/endpoints", dict(words))

    async def page(self, whose: Mapping[str, str]) -> list[Json]:
        """The endpoints of one owner, or all."""
        found: list[Json] = []
        while True:
            query = {**whose, "after": found[-1]["id"] if found else ""}
            rows = cast("list[Json]", (await self._ask("GET", "/api/endpoints", query=query))["endpoints"])
            if not rows:
                return found
            found += rows

    async def get(self, id_: str) -> Json:
        """One of them."""
        return await self._ask("GET", _path(id_))

    async def rotate(self, id_: str, words: Mapping[str, Any]) -> Json:
        """Gives it a new secret."""
        return await self._ask("POST", _path(id_, "rotate"), dict(words))

    async def steer(self, id_: str, word: str) -> Json:
        """`enable` or `disable`."""
        return await self._ask("POST", _path(id_, word))

    async def test(self, id_: str) -> Json:
        """Sends it a test event."""
        return await self._ask("POST", _path(id_, "test"))

    async def resend(self, id_: str) -> Json:
        """Owes its dead deliveries again."""
        return await self._ask("POST", _path(id_, "resend"))

    async def remove(self, id_: str) -> None:
        """Forgets it."""
        await self._ask("DELETE", _path(id_))

    async def deliveries(self, wanted: Mapping[str, str]) -> list[Json]:
        """Deliveries, newest first."""
        return cast("list[Json]", (await self._ask("GET", "/api/deliveries", query=wanted))["deliveries"])

    async def redeliver(self, id_: str) -> Json:
        """Owes one dead delivery again."""
        return await self._ask("POST", f"/api/deliveries/{quote(id_, safe='')}/resend")

    async def lines(self, wanted: Mapping[str, str]) -> list[Json]:
        """Lines of an inbox."""
        answer = await self._ask("GET", "/api/notifications", query=wanted)
        return cast("list[Json]", answer["notifications"])

    async def mark(self, words: Mapping[str, Any]) -> Json:
        """Marks lines of an inbox."""
        chosen = {} if "ids" in words or "up_to" in words else {"all": True}
        return await self._ask("POST", "/api/notifications/read", {**words, **chosen})


def _path(id_: str, word: str = "") -> str:
    path = f"/api/endpoints/{quote(id_, safe='')}"
    return f"{path}/{word}" if word else path
