"""What every test shares; factories and simulators are in tests/support.

A test that runs once per database (the fixtures `store` and `on`) may be about some of them only:
`@pytest.mark.only("sqlite")`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from duly.store import migrate
from support import blank


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the databases that a test is not about."""
    left_out = [item for item in items if not _meant(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _meant(item)]


@pytest.fixture(autouse=True)
def _blank(request: pytest.FixtureRequest) -> Iterator[None]:
    """New SQLite files are copies, unless a test is about migrations: `@pytest.mark.migrates`."""
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("migrates") is None:
            patch.setattr(migrate, "ensure", blank.ensure)
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Only asked when there are several processes."""
    from support.spread import Spread

    return Spread(config, log)


def _meant(item: pytest.Item) -> bool:
    only = item.get_closest_marker("only")
    given = getattr(getattr(item, "callspec", None), "params", {})
    chosen = given.get("store", given.get("on"))
    return only is None or chosen is None or chosen in only.args
