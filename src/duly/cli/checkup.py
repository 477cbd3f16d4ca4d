"""What `duly doctor` looks at: settings with their sources, the database, secrets, handlers, workers.

Each check answers on its own, so that one that fails hides no other.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import Any, Literal, TypeVar

from duly.cli.shell import problems
from duly.clock import SystemClock, iso
from duly.config import Settings, SettingsError, load_with_sources
from duly.model.schedule import GRACE_MS
from duly.observe.masking import masked, masked_text
from duly.runtime import credentials
from duly.runtime.broker import Broker, queue_name
from duly.runtime.declare import Duly
from duly.runtime.load import load_declared
from duly.store import lists, migrate, queues, schedules, sqlite
from duly.store.database import Database
from duly.store.driver import Footing
from duly.store.reserve import Reserve
from duly.store.transaction import Transaction

T = TypeVar("T")
State = Literal["ok", "note", "problem"]
#: A distribution's module, where its name does not say it.
MODULES = {"python-docx": "docx"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    state: State
    text: str


@dataclass(slots=True, kw_only=True)
class Report:
    """All that doctor tells."""

    settings: list[dict[str, Any]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    task_types: list[dict[str, Any]] = field(default_factory=list)
    workers: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, state: State, text: str) -> None:
        """Adds a finding."""
        self.findings.append(Finding(name=name, state=state, text=masked_text(text)))

    def problem(self, name: str, text: str) -> None:
        """Adds a problem; one that several checks met is told once."""
        if all(one.text != masked_text(text) for one in self.findings):
            self.add(name, "problem", text)

    @property
    def problems(self) -> list[str]:
        """A line for everything that must be mended."""
        return [f"{one.name}: {one.text}" for one in self.findings if one.state == "problem"]


def examine(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Report:
    """Looks at everything; never stops at the first problem."""
    report = Report()
    settings = _settings(report, flags, dict(os.environ if environ is None else environ))
    for name, check in (
        ("database", _database),
        ("schema", _schema),
        ("reserve", _reserve),
        ("token file", _token_file),
        ("task types", _task_types),
        ("workers", _workers),
        ("schedules", _schedules),
        ("broker", _broker),
    ):
        _try(report, name, check, settings)
    _extras(report)
    return report


def _try(report: Report, name: str, check: Callable[[Report, Settings], None], settings: Settings) -> None:
    try:
        check(report, settings)
    except Exception as error:
        said = problems(error)
        if not said:
            raise
        for line in said:
            report.problem(name, line)


def _settings(report: Report, flags: Mapping[str, Any], environ: dict[str, str]) -> Settings:
    """The settings; where some are wrong, their problems, and the rest of them for the other checks."""
    try:
        settings, sources = load_with_sources(flags, environ)
    except SettingsError as error:
        for line in error.problems:
            report.problem("settings", line)
        settings, sources = _the_sane(report, flags, environ)
    else:
        report.add("settings", "ok", f"{len(sources)} settings, {_changed(sources)} of them not the default")
    for name, description in Settings.model_fields.items():
        found = getattr(settings, name)
        value = masked_text(str(masked(name, found) if isinstance(found, dict) else found))
        report.settings.append(
            {"name": name, "value": value, "source": sources[name], "about": description.description}
        )
    _models(report, settings)
    return settings


def _models(report: Report, settings: Settings) -> None:
    """The table of model providers: whether it can be read, and whether their keys are there."""
    from duly.llm.providers import read

    try:
        _, providers = read(settings.llm)
    except SettingsError as error:
        for line in error.problems:
            report.problem("models", line)
        return
    lacking = [f"{one.name}: {one.key_env}" for one in providers if one.key_env not in ("", *os.environ)]
    if lacking:
        report.add("models", "note", f"no key in the environment for {', '.join(lacking)}")
    elif providers:
        report.add("models", "ok", ", ".join(one.name for one in providers))


def _changed(sources: Mapping[str, str]) -> int:
    return sum(source != "default" for source in sources.values())


def _the_sane(
    report: Report, flags: Mapping[str, Any], environ: dict[str, str]
) -> tuple[Settings, dict[str, str]]:
    """What is left when each source that is wrong by itself is put aside; else the defaults."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as empty:
        blank = {"DULY_CONFIG": empty.name}
        told = {name: value for name, value in environ.items() if name.startswith("DULY_")}
        named = {name: told.pop(name) for name in blank if name in told}
        file = blank if _wrong(report, {}, named) else named
        good = {name: told[name] for name in told if not _wrong(report, {}, {**blank, name: told[name]})}
        kept = {name: value for name, value in flags.items() if not _wrong(report, {name: value}, blank)}
        if _wrong(report, kept, good | file):
            return load_with_sources({}, blank)
        return load_with_sources(kept, good | file)


def _wrong(report: Report, flags: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    """Whether these settings are wrong; what is said about them is added, once."""
    try:
        load_with_sources(flags, environ)
    except SettingsError as error:
        for line in error.problems:
            report.problem("settings", line)
        return True
    return False


def _database(report: Report, settings: Settings) -> None:
    database = _named(settings)
    footing = database.examine()
    if isinstance(database.driver, sqlite.Sqlite):
        _file(report, database.driver.path, footing)
    else:
        report.add("database", "ok", database.place)
        report.add("engine", "ok", footing.engine)
    for warning in footing.warnings:
        report.add("database", "note", warning)


def _file(report: Report, path: Path, footing: Footing) -> None:
    there = f"{path.stat().st_size:,} bytes" if path.exists() else "not there yet; the first start makes it"
    report.add("database", "ok", f"{path} ({there})")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        report.add("database", "problem", f"{path} cannot be written by this user")
    care, why = "FULL", "keeps every commit in WAL mode"
    if footing.journal != "WAL":
        care, why = "EXTRA", "the fallback; see the note"
    library = sqlite.driver.__name__.split(".")[0]
    report.add("engine", "ok", f"SQLite {footing.engine} ({library}), {footing.journal} + {care}: {why}")
    report.add("file system", "ok", f"{footing.file_system} under {path.parent.resolve()}")


def _reserve(report: Report, settings: Settings) -> None:
    """What a full disk is cleaned with."""
    reserve = Reserve(_named(settings), settings.reserve)
    if reserve.short:
        report.add("disk", "problem", f"{reserve.free:,} bytes free under {reserve.path.parent}: duly prune")
    if reserve.size and reserve.kept:
        report.add("reserve", "ok", f"{reserve.size:,} bytes in {reserve.path}, to clean a full disk with")
    elif reserve.size:
        report.add("reserve", "note", f"{reserve.path} is not there; a worker makes it when there is room")
    elif isinstance(_named(settings).driver, sqlite.Sqlite):
        report.add("reserve", "note", "none (reserve = 0): a full disk cannot be cleaned by deleting tasks")


def _named(settings: Settings) -> Database:
    return Database(settings.database_url, listen_url=settings.database_listen_url or None)


def _schema(report: Report, settings: Settings) -> None:
    database = _named(settings)
    revision = migrate.current(database) if database.driver.exists() else None
    if revision is None:
        report.add("schema", "ok", f"fresh; the first start makes revision {migrate.HEAD}")
    elif revision != migrate.HEAD:
        report.add(
            "schema", "problem", f"revision {revision}, this version needs {migrate.HEAD}: duly db upgrade"
        )
    elif found := migrate.differences(database):
        report.add("schema", "problem", f"revision {revision}, but {len(found)} differences: duly db check")
    else:
        report.add("schema", "ok", f"revision {revision}, equal to what this version needs")


def _token_file(report: Report, settings: Settings) -> None:
    path = credentials.token_path(settings)
    if not path.exists():
        report.add("token file", "note", f"{path} is not there yet; `duly serve` makes it on first start")
        return
    credentials.read(settings)
    report.add("token file", "ok", f"{path}, for its owner only")


def _task_types(report: Report, settings: Settings) -> None:
    declared: Duly = load_declared(settings)
    for kind in declared.registry:
        known = {"name": kind.name, "queue": kind.queue, "lane": kind.lane, "timeout": kind.timeout}
        more = {"versions": list(kind.versions), "max_retries": kind.policy.max_retries}
        report.task_types.append({**known, **more})
    served = settings.queue_names
    for kind in declared.registry:
        if kind.queue not in served:
            report.add(
                "task types", "note", f"{kind.name} waits in the queue {kind.queue}, which is not in queues"
            )
    if report.task_types:
        report.add("task types", "ok", f"{len(report.task_types)} loaded")
    else:
        report.add(
            "task types",
            "note",
            "none: name your handlers with --app module:object or DULY_APP, or try --apps tender",
        )


def _workers(report: Report, settings: Settings) -> None:
    database = _named(settings)
    if not database.driver.exists() or migrate.current(database) != migrate.HEAD:
        report.add("workers", "note", "none has ever run on this database")
        return
    now = SystemClock().now_ms()
    rows, resting = _read(database, lambda tx: (lists.living_workers(tx), queues.paused(tx)))
    for row in (row for row in rows if row["lease_until"] > now):
        known = {name: row[name] for name in ("id", "host", "pid", "queues", "types")}
        report.workers.append(
            {**known, "started_at": iso(row["started_at"]), "lease_until": iso(row["lease_until"])}
        )
    if report.workers:
        report.add("workers", "ok", f"{len(report.workers)} living")
    else:
        report.add("workers", "note", "none is running: duly serve, or duly worker")
    if resting:
        names = ", ".join(one.name for one in resting)
        report.add("queues", "note", f"paused: {names}; to open one: duly queue resume NAME")


def _schedules(report: Report, settings: Settings) -> None:
    database = _named(settings)
    if not database.driver.exists() or migrate.current(database) != migrate.HEAD:
        return
    found = _read(database, schedules.page)
    overdue = SystemClock().now_ms() - GRACE_MS
    for one in found:
        if one.next_at is not None and one.next_at < overdue:
            said = f"{one.name} is overdue since {iso(one.next_at)}: is a worker running?"
            report.add("schedules", "note", said)
    if found:
        paused = sum(one.paused_at is not None for one in found)
        report.add("schedules", "ok", f"{len(found)}, {paused} of them paused")


def _broker(report: Report, settings: Settings) -> None:
    """What waits in the broker for Celery workers, and whether anybody sends and takes."""
    if settings.engine != "celery":
        return
    with closing(Broker(settings)) as broker:
        for queue in settings.queue_names:
            messages, consumers = broker.standing(queue)
            takers = "" if consumers < 0 else f", {consumers} Celery workers take them"
            report.add("broker", "ok", f"{queue_name(settings, queue)}: {messages} messages{takers}")
            if not consumers:
                start = "celery -A duly.runtime.celery_bridge worker"
                report.add("broker", "note", f"nobody takes messages of {queue}: {start}")
    if all(worker["types"] != "" for worker in report.workers):
        report.add("broker", "note", "nobody sends messages: duly serve, with engine = celery")


def _read(database: Database, query: Callable[[Transaction], T]) -> T:
    database.open()
    try:
        return database.read_blocking(query)
    finally:
        database.close()


def _extras(report: Report) -> None:
    """Which optional parts are installed, by what the package itself declares."""
    for extra, wanted in sorted(_declared_extras(metadata.requires("duly") or []).items()):
        missing = [
            name for name in wanted if util.find_spec(MODULES.get(name, name).replace("-", "_")) is None
        ]
        if missing:
            report.add(f"extra {extra}", "note", f"lacks {', '.join(missing)}: pip install 'duly[{extra}]'")
        else:
            report.add(f"extra {extra}", "ok", ", ".join(wanted))


def _declared_extras(requirements: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for extra, name in _pairs(requirements):
        if name != "duly":
            found.setdefault(extra, []).append(name)
    return found


def _pairs(requirements: Iterable[str]) -> Iterator[tuple[str, str]]:
    for requirement in requirements:
        name = re.match(r"[A-Za-z0-9_.-]+", requirement)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", requirement)
        if name and extra:
            yield extra[1], name[0]
