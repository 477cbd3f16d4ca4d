"""The schema's versions: what the scripts build is what the tables say, up, down, and by several at once."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.config import Config
from alembic.script import ScriptDirectory

from duly.model.errors import InvalidInput, NotReady, SchemaOutdated
from duly.store import migrate, schema
from duly.store.database import Database
from support.stores import Store, sqlite_store

pytestmark = pytest.mark.migrates


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A database that is not there yet."""
    return Database(f"sqlite:///{tmp_path / 'new.db'}")


def definitions(database: Database) -> dict[str, frozenset[str]]:
    """Each table and index with its clauses; their order and spacing are nobody's business."""
    with database.engine().connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'view'"
        ).all()
    return {name: clauses(sql) for name, sql in rows if name != "alembic_version"}


def clauses(sql: str) -> frozenset[str]:
    body = " ".join(sql.replace('"', "").split())
    return frozenset(
        part.strip() for part in re.split(r",(?![^()]*\))", body.partition("(")[2].rpartition(")")[0])
    )


def test_a_fresh_schema_is_what_all_migrations_build(database: Database, tmp_path: Path) -> None:
    """Table by table, index by index, clause by clause."""
    made = Database(f"sqlite:///{tmp_path / 'made.db'}")
    with made.engine().connect() as connection:
        schema.metadata.create_all(connection)
    migrate.ensure(database)
    assert definitions(database) == definitions(made)


def test_a_migrated_file_has_no_difference(database: Database) -> None:
    """That is what `duly doctor` asks."""
    migrate.ensure(database)
    assert migrate.differences(database) == []


def test_a_missing_index_is_a_difference(database: Database) -> None:
    """It is named, so that somebody can mend it."""
    migrate.ensure(database)
    with database.engine().connect() as connection:
        connection.exec_driver_sql("DROP INDEX task_claim")
    [difference] = migrate.differences(database)
    assert "task_claim" in difference


def test_the_head_that_is_checked_is_the_head_of_the_folder() -> None:
    """A new migration moves both, and there is one head."""
    config = Config()
    folder = Path(migrate.__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_down_to_nothing_and_up_again(database: Database) -> None:
    """Each migration takes back what it made."""
    migrate.ensure(database)
    before = definitions(database)
    migrate.downgrade(database, "base")
    assert definitions(database) == {}
    assert migrate.current(database) is None
    migrate.upgrade(database)
    assert definitions(database) == before
    assert migrate.current(database) == migrate.HEAD


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    """Neither does `ensure` on a file that is new enough."""
    for step in (migrate.ensure, migrate.upgrade, migrate.ensure):
        step(database)
    assert migrate.current(database) == migrate.HEAD


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_a_file_of_another_revision_is_refused_with_a_hint(database: Database, revision: str) -> None:
    """Older or newer, nothing is changed by starting."""
    migrate.ensure(database)
    with database.engine().connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
    with pytest.raises(SchemaOutdated, match=f"{revision}.*duly db upgrade"):
        migrate.ensure(database)
    assert migrate.current(database) == revision


def test_an_unknown_revision_is_the_callers_mistake(database: Database) -> None:
    """A clear word, not a traceback of Alembic."""
    with pytest.raises(InvalidInput, match="nonsense"):
        migrate.upgrade(database, "nonsense")


def test_a_migration_that_breaks_leaves_nothing_behind(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is one transaction: the file is as it was, and the next try may succeed."""

    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("half way")

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", broken)
        with pytest.raises(RuntimeError):
            migrate.ensure(database)
    assert definitions(database) == {}
    migrate.ensure(database)
    assert migrate.current(database) == migrate.HEAD


def test_rows_of_others_are_left_alone(database: Database) -> None:
    """An application may keep its own tables in the same file."""
    with database.engine().connect() as connection:
        connection.exec_driver_sql("CREATE TABLE shop (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO shop VALUES (7)")
    migrate.ensure(database)
    migrate.downgrade(database, "base")
    with database.engine().connect() as connection:
        assert connection.exec_driver_sql("SELECT n FROM shop").all() == [(7,)]


ENSURE = """
import sys
from duly.store import migrate
from duly.store.database import Database
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrate.ensure(database)
database.open()
database.close()
"""


def test_several_processes_may_start_on_one_new_file(database: Database) -> None:
    """They begin at the same moment; one makes the schema, all of them find it."""
    arguments = [sys.executable, "-c", ENSURE, database.url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    starting = [subprocess.Popen(arguments, **pipes) for _ in range(3)]
    for process in starting:
        process.stdout.readline()
    for process in starting:
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [(process.communicate(timeout=60)[1], process.returncode) for process in starting]
    assert [code for _, code in ended] == [0, 0, 0], ended
    assert migrate.differences(database) == []


def test_a_new_file_works_at_once(database: Database) -> None:
    """After `ensure` a task can be accepted and run."""
    migrate.ensure(database)
    store: Store = sqlite_store(database.driver.path)
    try:
        assert store.ended()
    finally:
        store.database.close()


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "mysql://nobody@127.0.0.1:1/none"])
def test_a_server_that_is_away_can_be_asked_again(url: str) -> None:
    """A process that starts while its server restarts ends with a line, and is worth another start."""
    with pytest.raises(NotReady):
        migrate.ensure(Database(url))


@pytest.mark.parametrize(
    "constraint",
    sorted(check.name for check in schema.task.constraints if isinstance(check, sa.CheckConstraint)),
)
def test_the_constraints_of_a_task_hold(store: Store, constraint: str) -> None:
    """Each refuses a row that breaks it, whatever the code believes."""
    id_ = store.submit()
    broken = {
        "task_status_known": "UPDATE task SET status = 'lost' WHERE id = ?",
        "task_rank_in_range": "UPDATE task SET rank = 11 WHERE id = ?",
        "task_running_has_worker": "UPDATE task SET status = 'running' WHERE id = ?",
        "task_end_has_time": "UPDATE task SET status = 'completed' WHERE id = ?",
        "task_due_has_time": "UPDATE task SET status = 'retry' WHERE id = ?",
        "task_suspect_runs": "UPDATE task SET suspect = 1, status = 'waiting' WHERE id = ?",
    }[constraint]
    driver = store.database.driver
    with (
        contextlib.closing(driver.connect()) as connection,
        pytest.raises(driver.module.Error, match=constraint),
    ):
        connection.cursor().execute(broken.replace("?", f"'{id_}'"))
