"""Schedules that the code declares: the name they are written down under, and how sets are joined."""

from __future__ import annotations

from pathlib import Path

import pytest

from duly import Duly, InvalidInput
from duly.config import Settings
from duly.runtime.load import load_declared
from duly.testing import harness

TEXT = """
from duly import Duly
duly = Duly({name})
@duly.task("tidy.{module}")
async def tidy(ctx): ...
duly.schedule("{module}", 60, "tidy.{module}")
"""


def test_a_program_without_a_name_is_called_by_where_it_was_loaded_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that two programs on one database know which schedules are theirs; a name that was given stays."""
    monkeypatch.syspath_prepend(tmp_path)
    for module, name in (("ticks_one", ""), ("ticks_two", '"shop"')):
        (tmp_path / f"{module}.py").write_text(TEXT.format(module=module, name=name))
    declared = load_declared(Settings(app="ticks_one, ticks_two:duly"))
    names = {source: [one.name for one in planned] for source, planned in declared.schedules.items()}
    assert names == {"all": [], "ticks_one:duly": ["ticks_one"], "shop": ["ticks_two"]}


def test_a_wrong_schedule_is_one_line_of_its_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As whatever else breaks when a user's module is imported."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "ticks_wrong.py").write_text(
        "from duly import Duly\nDuly().schedule('x', '0 25 * * *', 'y')\n"
    )
    with pytest.raises(Exception, match=r"ticks_wrong:duly.*bad hour"):
        load_declared(Settings(app="ticks_wrong"))


async def test_one_name_is_one_schedule(tmp_path: Path) -> None:
    """Two of a name in one tenant are a mistake, wherever they are declared; other tenants have their own."""
    one, two = Duly("one"), Duly("two")
    for duly, tenants in ((one, ("", "acme")), (two, ("",))):
        for tenant in tenants:
            duly.schedule("daily", "0 8 * * *", "tidy", tenant=tenant)

    @one.task("tidy")
    async def tidy(ctx: object) -> None: ...

    async with harness(one, tmp_path) as made:
        await made.run_until_idle()
        assert len(await made.app.schedules.page()) == 2
        one.include(two)
        with pytest.raises(InvalidInput, match="declared twice: the schedule daily"):
            await made.app.schedules.sync(one.schedules)
