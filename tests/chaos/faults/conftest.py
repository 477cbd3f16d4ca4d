"""What fault cases share. One is a test marked `fault("its-name")`, run by `make faults`.

A case on several databases has a parameter `kind`. What the host cannot do is a skip with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.fault_case import Case

HERE = Path(__file__).parent
#: Seconds for one case, whatever it does.
LIMIT = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every case is slow; one without a name cannot be asked for."""
    for item in items:
        if HERE in item.path.parents:
            if item.get_closest_marker("fault") is None:
                raise pytest.UsageError(f"{item.nodeid} needs @pytest.mark.fault('its-name')")
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(LIMIT))


@pytest.fixture
def case(record_property: Callable[[str, object], None]) -> Iterator[Case]:
    """The test's own record: `case.figure(...)`, `case.wrong(...)`, `case.holds(...)`."""
    one = Case()
    yield one
    record_property("figures", one.figures)
    record_property("violations", one.violations)
    if one.violations:
        pytest.fail("\n".join(one.violations), pytrace=False)
