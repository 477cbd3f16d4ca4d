"""The tables of the HTTP surface: uploads and which tasks refer to them, buckets of permits of callers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Index, Table

from duly.store.columns import STORAGE, key, metadata

# An upload since it is counted; its bytes are in `blob`. Older ones have no row, and are kept for good.
upload = Table(
    "upload",
    metadata,
    Column("sha256", key(64), primary_key=True),
    # When it was sent, or when a task last came that refers to it.
    Column("touched_at", BigInteger, nullable=False),
    Index("upload_age", "touched_at", "sha256"),
    **STORAGE,
)

# Which tasks name which uploads in their input or in what was said to them.
upload_ref = Table(
    "upload_ref",
    metadata,
    Column("task_id", key(36), primary_key=True),
    Column("sha256", key(64), primary_key=True),
    Index("upload_ref_upload", "sha256"),
    **STORAGE,
)

# How many requests a caller may make at once, as of `refilled_at`; a full one needs no row.
bucket = Table(
    "bucket",
    metadata,
    Column("name", key(200), primary_key=True),
    Column("tokens", Double, nullable=False),
    Column("refilled_at", BigInteger, nullable=False),
    Column("full_at", BigInteger, nullable=False),
    Index("bucket_full", "full_at"),
    **STORAGE,
)
