"""The power goes: what was acknowledged is on the disk; one pragma weaker, and some of it is not."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from duly.store import migrate
from duly.store.database import Database
from support import power
from support.disk import Disk, File, PowerCut, seeded

FEW, MANY = range(1, 13), range(1, 61)
#: A journal with the care that the product takes, and the same with the next lesser one.
CAREFUL = {"wal": power.WRITE_AHEAD, "rollback": power.ROLLBACK}
CARELESS = {"wal": power.CARELESS, "rollback": power.CARELESS_ROLLBACK}


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database file with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "duly.db"
    migrate.ensure(Database(f"sqlite:///{path}"))
    return path


@pytest.mark.parametrize("seeds", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=len)
@pytest.mark.parametrize("journal", CAREFUL)
def test_what_was_acknowledged_outlives_a_power_cut(blank: Path, journal: str, seeds: range) -> None:
    """Every task as its caller knows it, a commit under way whole or not at all, a sound file."""
    acknowledged = 0
    for seed in seeds:
        one = power.cut(blank, seed, CAREFUL[journal])
        assert one.lost + one.wrong == [], str(one)
        acknowledged += one.acknowledged
    assert acknowledged > 20 * len(seeds)


@pytest.mark.parametrize(
    ("journal", "seeds"), [("wal", FEW), pytest.param("rollback", MANY, marks=pytest.mark.slow)]
)
def test_with_less_care_acknowledged_tasks_are_lost(blank: Path, journal: str, seeds: range) -> None:
    """The control: one pragma weaker, and the same cuts lose tasks; the file stays sound."""
    outcomes = [power.cut(blank, seed, CARELESS[journal]) for seed in seeds]
    assert any(one.lost for one in outcomes)
    assert [str(one) for one in outcomes if one.wrong] == []


def test_without_syncs_the_file_breaks(blank: Path) -> None:
    """The other control: the disk's disorder is seen as such."""
    assert any(power.cut(blank, seed, power.RECKLESS).wrong for seed in FEW)


def test_a_seed_tells_the_whole_cut(blank: Path) -> None:
    """What a failing run prints is enough to see it again."""
    for footing in (power.WRITE_AHEAD, power.CARELESS):
        assert power.cut(blank, 7, footing) == power.cut(blank, 7, footing)


def test_synced_bytes_stay_and_later_ones_may() -> None:
    """Whatever the die says, the first half was synced; the second is old, new, or torn between sectors."""
    file = File(bytearray(8192))
    file.write(0, b"a" * 4096)
    file.sync()
    file.write(4096, b"b" * 4096)
    images = [file.after_the_cut(seeded(seed)) for seed in range(50)]
    assert {image[:4096] for image in images} == {b"a" * 4096}
    assert {image[4096:4097] for image in images} == {b"\0", b"b"}
    assert any(set(image[4096:]) == {0, ord("b")} for image in images)


def test_the_length_is_one_that_the_file_had() -> None:
    """Between its last sync and the cut; what was cut off and grown again does not come back by a sync."""
    file = File(bytearray(b"a" * 600))
    file.truncate(100)
    file.write(100, b"b" * 50)
    sizes = {len(file.after_the_cut(seeded(seed))) for seed in range(50)}
    assert sizes == {600, 100, 150}
    file.sync()
    assert file.after_the_cut(seeded(1)) == b"a" * 100 + b"b" * 50


def test_a_name_is_sure_after_a_sync_of_its_folder_only(tmp_path: Path) -> None:
    """A deleted file may be back, a new one gone."""
    before = tmp_path / "before"
    before.mkdir()
    (before / "old").write_bytes(b"old")

    def names(disk: Disk, seed: int) -> tuple[str, ...]:
        """What the folder holds after a cut."""
        after = Path(tempfile.mkdtemp(dir=tmp_path))
        disk.after_the_cut(seeded(seed), after)
        return tuple(sorted(path.name for path in after.iterdir()))

    disk = Disk(before, cut_at=3)
    disk.delete("old")
    disk.open("new")
    assert {names(disk, seed) for seed in range(30)} == {(), ("old",), ("new",), ("new", "old")}
    disk.sync_folder()
    assert {names(disk, seed) for seed in range(30)} == {("new",)}
    with pytest.raises(PowerCut, match="create newer"):
        disk.open("newer")
    assert disk.off
