"""Keys, browser sessions and the audit log, on every database."""

from __future__ import annotations

from typing import Any

from duly.model.access import Role
from duly.store import audit, keys, logins
from duly.store.audit import Entry, Search
from support.stores import Store

ENTRY = Entry(action="key.create", object="k1", owner="root")


def new(store: Store, id_: str = "k1", **more: Any) -> dict[str, Any]:
    """A key that was made."""
    words: dict[str, Any] = {
        "id": id_,
        "secret_hash": "a" * 64,
        "name": "ci",
        "role": Role.USER,
        "scopes": "tasks:read",
        "tenant": "acme",
        "owner": "ann",
        "by": "root",
        "expires_at": None,
        "entry": ENTRY,
        **more,
    }
    [row] = store.write(keys.make, keys.NewKey(**words))
    return dict(row)


def test_a_key_is_found_by_its_id_byte_for_byte(store: Store) -> None:
    """`K1` is another key than `k1`, on every database."""
    new(store)
    known = store.read(keys.find, "k1")
    assert known is not None
    assert (known.owner, known.tenant, known.role) == ("ann", "acme", "user")
    assert known.hashes(store.clock.now_ms()) == ["a" * 64]
    assert [store.read(keys.find, id_) for id_ in ("K1", "", "k2")] == [None] * 3


def test_a_rotation_keeps_the_old_secret_for_a_while(store: Store) -> None:
    """Both are good, then the new one only."""
    new(store)
    store.write(keys.rotate, keys.Rotation(id="k1", secret_hash="b" * 64, overlap_ms=1000, entry=ENTRY))
    known = store.read(keys.find, "k1")
    assert known is not None
    assert known.hashes(store.clock.now_ms()) == ["b" * 64, "a" * 64]
    assert known.hashes(store.clock.now_ms() + 1000) == ["b" * 64]


def test_a_revoked_key_is_over_and_cannot_be_rotated(store: Store) -> None:
    """Nothing brings it back; one that is not there is told apart."""
    new(store)
    [revoked] = store.write(keys.revoke, keys.Revocation(id="k1", entry=ENTRY))
    rotation = keys.Rotation(id="k1", secret_hash="b" * 64, overlap_ms=0, entry=ENTRY)
    known = store.read(keys.find, "k1")
    assert revoked["revoked_at"] == store.clock.now_ms()
    assert known is not None
    assert known.hashes(store.clock.now_ms()) == []
    assert store.write(keys.rotate, rotation) == [None]
    assert store.write(keys.revoke, keys.Revocation(id="none", entry=ENTRY)) == [None]


def test_keys_are_paged_by_id_without_their_secrets(store: Store) -> None:
    """Behind the last one that was seen."""
    for id_ in ("a", "b", "c"):
        new(store, id_)
    page = store.read(keys.page, after="a", limit=1)
    assert [row["id"] for row in page] == ["b"]
    assert not {"secret_hash", "old_hash"} & page[0].keys()


def test_a_session_holds_until_it_ends(store: Store) -> None:
    """By its time, by being ended, or with its key."""
    new(store)
    for id_, key in (("s1", None), ("s2", None), ("s3", "k1")):
        store.write(
            logins.begin,
            logins.NewLogin(
                id=id_,
                role="user",
                scopes="",
                tenant="",
                owner="ann",
                api_key_id=key,
                expires_at=store.clock.now_ms() + 1000,
            ),
        )
    assert all(store.read(logins.find, id_, store.clock.now_ms()) for id_ in ("s1", "s2", "s3"))
    store.write(logins.end, "s2")
    store.write(keys.revoke, keys.Revocation(id="k1", entry=ENTRY))
    found = [store.read(logins.find, id_, store.clock.now_ms()) is not None for id_ in ("s1", "s2", "s3")]
    assert (found, store.read(logins.find, "s1", store.clock.now_ms() + 1000)) == ([True, False, False], None)


def test_the_log_is_read_backwards_and_forgotten_in_time(store: Store) -> None:
    """Newest first, by pages; what is old goes, a batch at a time."""
    for number in range(3):
        store.write(audit.add, Entry(action="a", object=str(number)))
    first = store.read(audit.page, Search(), limit=2)
    rest = store.read(audit.page, Search(before=first[-1]["id"]), limit=2)
    assert [row["object"] for row in first + rest] == ["2", "1", "0"]
    assert store.read(audit.page, Search(action="b"), limit=2) == []
    store.clock.advance(365 * 86_400)
    store.write(audit.add, Entry(action="a", object="young"))
    assert store.write(audit.forget, None) == [3]
    assert [row["object"] for row in store.read(audit.page, Search(), limit=9)] == ["young"]


def test_a_last_use_is_written_for_several_at_once(store: Store) -> None:
    """One statement, whatever key was used how often."""
    new(store, "a")
    new(store, "b")
    store.write(keys.touch, "a", "b", "a")
    assert [row["used_at"] for row in store.read(keys.page, after="", limit=9)] == [
        store.clock.now_ms(),
        store.clock.now_ms(),
    ]
