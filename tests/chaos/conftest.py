"""What the chaos tests share: a cluster at a tenth of the usual times."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.cluster import Cluster, cluster


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(tmp_path) as one:
        yield one
