"""API keys: shown once, checked before any look-up, narrowed by scopes, ended by time and by revocation."""

from __future__ import annotations

import re
from typing import Any

import pytest
from site_under_test import REFUSED, MakeSite, Site

from duly.model.access import KEY_PATTERN, ApiKey, Role, Scope, granted, scopes_of
from duly.model.errors import InvalidInput
from duly.store import keys, schema
from duly.testing import FakeClock

ANN = {"name": "ci", "owner": "ann"}


async def made(site: Site, **words: Any) -> dict[str, Any]:
    """A key as the administrator gets it."""
    async with site.admin as admin:
        answer = await admin.post("/api/keys", json={**ANN, **words})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def bearer(key: str) -> dict[str, str]:
    """The header of a call with this key."""
    return {"Authorization": f"Bearer {key}"}


async def status(site: Site, key: str, path: str = "/api/tasks") -> int:
    """What a call with this key gets."""
    async with site.client(bearer(key)) as client:
        return (await client.get(path)).status_code


async def test_a_key_is_its_owner(site: Site) -> None:
    """A task submitted with it is the owner's, and he sees his own only."""
    key = (await made(site, tenant="acme"))["key"]
    async with site.admin as admin, site.client(bearer(key)) as ann:
        await site.submitted(admin)
        task = await site.submitted(ann)
        listed = (await ann.get("/api/tasks")).json()["tasks"]
    assert (task["owner"], [one["id"] for one in listed]) == ("ann", [task["id"]])


async def test_a_key_is_shown_once_and_kept_nowhere(site: Site) -> None:
    """The list does not have it, nor does any row of the database."""
    key = (await made(site))["key"]
    secret = key.split("_")[3]
    async with site.admin as admin:
        listed = (await admin.get("/api/keys")).text
    rows = await site.app.database.read(
        lambda tx: [list(map(str, row)) for name in ("api_key", "audit") for row in tx.core.execute(
            schema.metadata.tables[name].select())]
    )  # fmt: skip
    assert secret not in listed + repr(rows)
    assert "hash" not in listed


async def test_a_mistyped_key_is_refused_without_a_look(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checksum tells; the database is not asked."""
    key = (await made(site))["key"]
    asked: list[str] = []
    monkeypatch.setattr(keys, "find", lambda _, id_: asked.append(id_))
    swapped = key[:-10] + ("A" if key[-10] != "A" else "B") + key[-9:]
    assert (await status(site, swapped), asked) == (401, [])


def _changed(text: str, at: int) -> str:
    return text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]


async def test_no_key_that_differs_in_one_character_works(site: Site) -> None:
    """Each character counts, those of the checksum too."""
    key = (await made(site))["key"]
    statuses = {await status(site, _changed(key, at)) for at in range(len(key))}
    assert statuses == {401}


async def test_a_wrong_secret_with_a_right_checksum_is_refused(site: Site) -> None:
    """The id alone opens nothing."""
    made_ = await made(site)
    forged = ApiKey.new("live", made_["id"]).text
    async with site.client(bearer(forged)) as client:
        answer = await client.get("/api/tasks")
    assert (answer.status_code, answer.json()["detail"]) == (401, REFUSED)


async def test_a_key_of_another_installation_is_refused(make_site: MakeSite) -> None:
    """The word in it says of which installation it is; ours wants its own."""
    site = await make_site(key_environment="prod")
    made_ = await made(site)
    assert made_["key"].startswith("duly_prod_")
    key = ApiKey.parse(made_["key"], "prod")
    assert key is not None
    other = ApiKey(environment="test", id=key.id, secret=key.secret).text
    assert [await status(site, made_["key"]), await status(site, other)] == [200, 401]


async def test_a_key_ends_at_its_expiry_to_the_millisecond(make_site: MakeSite) -> None:
    """It works until then, and from then on it does not."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    key = (await made(site, lifetime=60))["key"]
    clock.advance(59.999)
    alive = await status(site, key)
    clock.advance(0.001)
    assert (alive, await status(site, key)) == (200, 401)


async def test_a_revoked_key_opens_nothing_from_the_answer_on(site: Site) -> None:
    """And revoking it again changes nothing."""
    key = await made(site)
    async with site.admin as admin:
        first = (await admin.delete(f"/api/keys/{key['id']}")).json()["revoked_at"]
        again = (await admin.delete(f"/api/keys/{key['id']}")).json()["revoked_at"]
    assert (await status(site, key["key"]), first) == (401, again)


async def test_a_rotated_key_overlaps(make_site: MakeSite) -> None:
    """Both secrets work for as long as was said; then the new one only."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    old = await made(site)
    async with site.admin as admin:
        answer = await admin.post(f"/api/keys/{old['id']}/rotate", json={"overlap": 60})
    new = answer.json()["key"]
    during = [await status(site, old["key"]), await status(site, new)]
    clock.advance(60)
    assert (during, [await status(site, old["key"]), await status(site, new)]) == ([200, 200], [401, 200])


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
async def test_a_key_that_is_not_there(site: Site, verb: str) -> None:
    """404, and no line in the audit log says that something was done."""
    async with site.admin as admin:
        if verb == "rotate":
            answer = await admin.post("/api/keys/nothing/rotate")
        else:
            answer = await admin.delete("/api/keys/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "key_not_found")


async def test_the_last_use_is_known_to_the_minute(make_site: MakeSite) -> None:
    """It is written once a minute at most."""
    clock = FakeClock()
    site = await make_site(clock=clock)
    key = await made(site)
    seen = []
    for seconds in (0, 59, 1):
        clock.advance(seconds)
        await status(site, key["key"])
        await site.app.database.write(keys.touch, "nobody")
        known = await site.app.database.read(keys.find, key["id"])
        assert known is not None
        seen.append(known.used_at)
    assert (seen[0] == seen[1], seen[2] - seen[0]) == (True, 60_000)


@pytest.mark.parametrize(
    ("role", "scopes", "statuses"),
    [
        ("viewer", [], [200, 403, 403, 403]),
        ("user", [], [200, 202, 403, 403]),
        ("user", ["tasks:read"], [200, 403, 403, 403]),
        ("user", ["tasks:write"], [403, 202, 403, 403]),
        ("operator", [], [200, 202, 200, 403]),
        ("operator", ["operate"], [403, 403, 200, 403]),
        ("admin", [], [200, 202, 200, 200]),
        ("admin", ["tasks:read"], [200, 403, 403, 403]),
        ("admin", ["admin"], [403, 403, 403, 200]),
    ],
)
async def test_a_key_may_what_role_and_scopes_both_allow(
    site: Site, role: str, scopes: list[str], statuses: list[int]
) -> None:
    """Reading, writing, operating, administering: each needs its scope, and the role must have it."""
    key = (await made(site, role=role, scopes=scopes))["key"]
    async with site.client(bearer(key)) as client:
        found = [
            (await client.get("/api/tasks")).status_code,
            (await client.post("/api/tasks", json={"task_type": "echo"})).status_code,
            (await client.get("/api/queues")).status_code,
            (await client.get("/api/keys")).status_code,
        ]
    assert found == statuses


@pytest.mark.parametrize(
    "words",
    [
        *({"name": name} for name in ("", "a\n", 1)),
        *({"owner": owner} for owner in ("", "a" * 65)),
        *({"scopes": scopes} for scopes in (["all"], ["admin"])),
        *({"lifetime": lifetime} for lifetime in (0, -1, 1e300)),
        {"role": "root"},
        {"id": "mine"},
    ],
    ids=repr,
)
async def test_a_key_that_makes_no_sense_is_not_made(site: Site, words: dict[str, Any]) -> None:
    """No name, nobody's, unknown words, more than the role has, no lifetime: 422."""
    async with site.admin as admin:
        answer = await admin.post("/api/keys", json={**ANN, **words})
    assert answer.status_code == 422, answer.text


async def test_an_operator_cannot_make_keys(site: Site) -> None:
    """He could make himself an administrator."""
    key = (await made(site, role="operator", owner=""))["key"]
    async with site.client(bearer(key)) as client:
        answer = await client.post("/api/keys", json={**ANN, "role": "admin"})
    assert answer.status_code == 403


async def test_an_operator_sees_and_moves_everybodys_tasks(site: Site) -> None:
    """All tasks are his business."""
    key = (await made(site, role="operator", owner=""))["key"]
    async with site.user("ann") as ann, site.client(bearer(key)) as operator:
        task = await site.submitted(ann)
        answer = await operator.post(f"/api/tasks/{task['id']}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


def test_the_secret_cannot_be_guessed() -> None:
    """190 random bits, and no two keys are alike."""
    made_ = {ApiKey.new("live").text for _ in range(1000)}
    found = [KEY_PATTERN.fullmatch(text) for text in made_]
    assert len(made_) == 1000
    assert all(one is not None and re.fullmatch(r"[0-9A-Za-z]{32}", one[3]) for one in found)
    assert 62**32 > 2**160


def test_a_scope_never_widens_a_role() -> None:
    """A viewer's key that names all scopes still reads only, and is not made."""
    assert granted(Role.VIEWER, [one.value for one in Scope]) == {Scope.READ}
    with pytest.raises(InvalidInput, match="viewer"):
        scopes_of(["tasks:write"], Role.VIEWER)
