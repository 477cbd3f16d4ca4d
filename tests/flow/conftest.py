"""After each flow the invariants hold in the database that it left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import invariants


@pytest.fixture(autouse=True)
def _invariants(tmp_path: Path) -> Iterator[None]:
    """The database lies in the folder of the test, where `harness_fixture` puts it."""
    yield
    invariants.check_folder(tmp_path)
