"""The tables of who calls: API keys, browser sessions, what was done by whom (the rest: `schema`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table

from duly.store.columns import STORAGE, LongText, key, metadata

# A key that programs call with. Its secret is nowhere but with its holder.
api_key = Table(
    "api_key",
    metadata,
    Column("id", key(36), primary_key=True),
    Column("name", key(100), nullable=False),
    Column("secret_hash", key(64), nullable=False),
    # The secret before the last rotation, and until when it is still good.
    Column("old_hash", key(64)),
    Column("old_until", BigInteger),
    Column("role", key(36), nullable=False),
    # With spaces between; empty: all of the role's.
    Column("scopes", key(200), nullable=False, server_default=""),
    Column("tenant", key(64), nullable=False),
    Column("owner", key(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", key(64), nullable=False),
    Column("expires_at", BigInteger),
    Column("rotated_at", BigInteger),
    # To the minute.
    Column("used_at", BigInteger),
    Column("revoked_at", BigInteger),
    CheckConstraint("role IN ('viewer', 'user', 'operator', 'admin')", name="api_key_role_known"),
    # An old secret has an end.
    CheckConstraint("(old_hash IS NULL) = (old_until IS NULL)", name="api_key_overlap_ends"),
    **STORAGE,
)

# A browser that has signed in. Its cookie says the id and is signed; this row says whether it still holds.
web_session = Table(
    "web_session",
    metadata,
    Column("id", key(36), primary_key=True),
    Column("role", key(36), nullable=False),
    Column("scopes", key(200), nullable=False),
    Column("tenant", key(64), nullable=False),
    Column("owner", key(64), nullable=False),
    # The API key that it was begun with, and that it ends with.
    Column("api_key_id", key(36)),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Index("web_session_expiry", "expires_at"),
    **STORAGE,
)

# Who did what to what, and how it ended. Ids ascend in time.
audit = Table(
    "audit",
    metadata,
    Column("id", key(36), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("tenant", key(64), nullable=False),
    Column("owner", key(64), nullable=False),
    Column("role", key(36), nullable=False),
    # By what he was known: token, jwt, session, loopback, key:<id>, cli.
    Column("credential", key(64), nullable=False),
    Column("action", key(100), nullable=False),
    Column("object", LongText, nullable=False),
    # The HTTP status; 0: not over HTTP.
    Column("status", Integer, nullable=False),
    Column("request_id", key(64), nullable=False),
    Column("client", key(64), nullable=False),
    Index("audit_at", "at"),
    **STORAGE,
)
