"""The authorisation matrix: each operation of an API by each principal, against `corpora/authorisation.toml`.

It needs a running API, a client of it without credentials, and the installation's secrets; nothing else, so
that a test asks it in its own process and `make security` a real server.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from duly.http.identity import issue_jwt
from duly.runtime.credentials import Credentials
from support import corpora
from support.cluster import until

TABLE = corpora.load("authorisation")
PRINCIPALS: list[str] = TABLE["principals"]
_NUMBERS = itertools.count(1)
#: Runs after everything here is over, so that no worker ends it meanwhile.
LATER = {"task_type": "echo", "due": 86_400, "tags": ["ann"], "deliver": ["inbox"]}


@dataclass(frozen=True, slots=True)
class Cell:
    """One answer: what was asked by whom, what he must get, what he got."""

    name: str
    principal: str
    expected: str
    got: str

    @property
    def wrong(self) -> bool:
        """Whether it is not as the table says."""
        return self.expected != self.got


@dataclass
class Matrix:
    """Asks the operations that the API's own document lists."""

    client: httpx2.AsyncClient
    credentials: Credentials
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Makes the principals."""
        reading = {"owner": "ann", "scopes": ["tasks:read"]}
        dead = await self._key(owner="ann")
        expired = await self._key(owner="ann", lifetime=1)
        self.headers = {
            "anonymous": {},
            "ann": _bearer(issue_jwt(self.credentials, "ann")),
            "bob": _bearer(issue_jwt(self.credentials, "bob")),
            "carol": _bearer(issue_jwt(self.credentials, "ann", "acme")),
            "admin": _bearer(self.credentials.token),
            "reader": _bearer((await self._key(**reading))["key"]),
            "operator": _bearer((await self._key(role="operator"))["key"]),
            "expired": _bearer(expired["key"]),
            "revoked": _bearer(dead["key"]),
        }
        await self._admin("DELETE", f"/api/keys/{dead['id']}")
        await until(self._over)
        await self._admin("PUT", "/api/limits/queue/side", json={"concurrency": 9})

    async def cells(self) -> AsyncIterator[Cell]:
        """Every cell; an operation that the table does not list is wrong for everybody."""
        document = (await self.client.get("/openapi.json")).json()
        listed = {f"{verb.upper()} {path}" for path, verbs in document["paths"].items() for verb in verbs}
        for name in sorted(listed | TABLE["operations"].keys()):
            for principal in PRINCIPALS:
                yield await self._cell(name, principal, there=name in listed)
        async for cell in self._more():
            yield cell

    async def _cell(self, name: str, principal: str, *, there: bool) -> Cell:
        row = TABLE["operations"].get(name)
        if row is None or not there:
            return Cell(name, principal, "listed" if there else "in OpenAPI", "missing")
        expected = TABLE["kinds"][row["kind"]].split()[PRINCIPALS.index(principal)]
        expected = str(row.get("ok", 200)) if expected == "ok" else expected
        answer = await self._ask(name, row, self.headers[principal])
        self.client.cookies.clear()
        return Cell(name, principal, expected, str(answer.status_code))

    async def _ask(self, name: str, row: Mapping[str, Any], headers: dict[str, str]) -> httpx2.Response:
        method, _, path = name.partition(" ")
        place = await self._filled(path, ended=row.get("ended", False))
        place += f"?{row['query']}" if "query" in row else ""
        given: dict[str, Any] = {"headers": headers}
        if row.get("upload"):
            given["files"] = {"file": ("a.txt", b"words")}
        elif "body" in row:
            fresh = {"name": f"new{next(_NUMBERS)}"} if row["body"].get("name") == "NEW" else {}
            given["json"] = {**row["body"], **fresh}
        return await self.client.request("HEAD" if row.get("head") else method, place, **given)

    async def _filled(self, path: str, *, ended: bool) -> str:
        """The path with objects of ann's, made for this one call."""
        ann = self.headers["ann"]
        if "{batch_id}" in path:
            batch = {"tasks": [{"task_type": "echo"}]}
            made = await self.client.post("/api/batches", json=batch, headers=ann)
            path = path.replace("{batch_id}", made.json()["id"])
        if "{sha256}" in path:
            path = await self._with_file(path)
        if "{endpoint_id}" in path:
            words = {"url": "https://receiver.example/hook"}
            made = await self.client.post("/api/endpoints", json=words, headers=ann)
            path = path.replace("{endpoint_id}", made.json()["id"])
        if "{delivery_id}" in path:
            owed = await self.client.get(f"/api/tasks/{await self.task()}/deliveries", headers=ann)
            path = path.replace("{delivery_id}", owed.json()["deliveries"][0]["id"])
        if "{task_id}" in path:
            path = path.replace("{task_id}", await self.task(ended=ended))
        if "{key_id}" in path:
            path = path.replace("{key_id}", (await self._key(owner="ann"))["id"])
        if path.startswith("/api/schedules/{name}"):
            path = path.replace("{name}", await self._schedule())
        path = path.replace("/api/limits/{name}", "/api/limits/queue/side").replace("{what}", "result")
        path = path.replace("/problems/{name}", "/problems/not-found")
        return path.replace("{name}", "default").replace("{secret}", "x" * 43)

    async def _with_file(self, path: str) -> str:
        """The path with a task of ann's and the file that its input names."""
        ann, file = self.headers["ann"], {"file": ("a.txt", b"words")}
        kept = (await self.client.post("/api/uploads", files=file, headers=ann)).json()
        made = await self.client.post("/api/tasks", json={**LATER, "input": {"file": kept}}, headers=ann)
        return path.replace("{task_id}", made.json()["id"]).replace("{sha256}", kept["blob"])

    async def task(self, *, ended: bool = False) -> str:
        """A new task of ann's; `ended`: cancelled."""
        made = await self.client.post("/api/tasks", json=LATER, headers=self.headers["ann"])
        id_ = str(made.json()["id"])
        if ended:
            await self._admin("DELETE", f"/api/tasks/{id_}")
        return id_

    async def _schedule(self) -> str:
        name = f"hers{next(_NUMBERS)}"
        words = {"name": name, "task_type": "echo", "cron": "0 0 1 1 *"}
        made = await self.client.post("/api/schedules", json=words, headers=self.headers["ann"])
        assert made.status_code == 201, made.text
        return name

    async def _more(self) -> AsyncIterator[Cell]:
        """What lists and counts hold, what may be named, and that a guess learns nothing."""
        id_, schedule = await self.task(), await self._schedule()
        await self._noticed()
        for name, row in TABLE["contents"].items():
            for principal, expected in zip(PRINCIPALS, row.split(), strict=True):
                answer = await self.client.get(name.partition(" ")[2], headers=self.headers[principal])
                shown = answer.status_code == 200 and _shows(answer.json(), (id_, schedule))
                yield Cell(name, principal, expected, "yes" if shown else "no")
        for name, row in TABLE["naming"].items():
            for principal, expected in zip(PRINCIPALS, row.split(), strict=True):
                answer = await self.client.get(name.partition(" ")[2], headers=self.headers[principal])
                yield Cell(name, principal, expected, str(answer.status_code))
        for principal in ("bob", "carol"):
            yield await self._guess(principal, id_)

    async def _guess(self, principal: str, id_: str) -> Cell:
        """Another's task and one that is not there: the same answer."""
        absent = id_[:-1] + ("0" if id_[-1] != "0" else "1")
        places = [f"/api/tasks/{one}" for one in (id_, absent)]
        said = [(await self.client.get(one, headers=self.headers[principal])).text for one in places]
        alike = said[0].replace(id_, "ID") == said[1].replace(absent, "ID")
        return Cell("a guessed Location", principal, "alike", "alike" if alike else "told apart")

    async def _noticed(self) -> None:
        """Ends a task of ann's whose answer goes to her inbox, and waits until it is there."""
        words = {**LATER, "deliver": ["inbox"]}
        made = await self.client.post("/api/tasks", json=words, headers=self.headers["ann"])
        await self._admin("DELETE", f"/api/tasks/{made.json()['id']}")
        await self.deliver()
        await until(self._told)

    async def _told(self) -> bool:
        found = await self.client.get("/api/notifications", headers=self.headers["ann"])
        return bool(found.json()["notifications"])

    async def _over(self) -> bool:
        """Whether the second that the expired key lives is over."""
        return (await self.client.get("/api/tasks", headers=self.headers["expired"])).status_code == 401

    async def deliver(self) -> None:
        """A real server delivers by itself; a test does it here."""

    async def _key(self, **words: Any) -> dict[str, Any]:
        answer = await self._admin("POST", "/api/keys", json={"name": "matrix", **words})
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def _admin(self, method: str, path: str, **given: Any) -> httpx2.Response:
        return await self.client.request(method, path, headers=_bearer(self.credentials.token), **given)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _shows(body: Mapping[str, Any], hers: tuple[str, ...]) -> bool:
    if "stats" in body:
        return any(body["stats"].values())
    if "notifications" in body:
        return bool(body["notifications"])
    return any(one in str(body) for one in hers)
