"""Alembic scripts; until the first release they are squashed into one."""
