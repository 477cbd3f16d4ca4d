"""Calls and ways of writing that are banned, each with its reason, found in the syntax tree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import duly

ROOT = Path(__file__).resolve().parents[2]

# wait_for swallows a cancel on Python 3.11; asyncio.timeout does not.
SWALLOWS_CANCEL = frozenset({"asyncio.wait_for"})
# Time is an argument: only duly/clock.py asks what time it is, so that a test can say.
WALL_CLOCKS = frozenset(
    {
        "time.time",
        "time.time_ns",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "datetime.datetime.today",
        "datetime.date.today",
    }
)
# No test waits for time to pass: it is slow when the machine is fast, and flaky when it is slow.
SLEEPS = frozenset({"time.sleep"})

QUERY = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|PRAGMA)\s|\s*(?i:insert\s+into|delete\s+from|with\s+\w+\s+as)\b"
)
SCHEMA = re.compile(r"\s*(CREATE|ALTER|DROP)\s")
MAY_BUILD_SCHEMA = ("src/duly/store/schema", "src/duly/store/migrations", "src/duly/store/copying")


def sources(tree: str) -> Iterator[tuple[str, ast.Module]]:
    """Each Python file below `tree`, as (path from the root, syntax tree). src/ is where Duly comes from."""
    root = Path(duly.__file__).parents[2] if tree.startswith("src") else ROOT
    for path in sorted((root / tree).rglob("*.py")):
        yield path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"), str(path))


def origins(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: {"t": "time", "sleep": "time.sleep"}."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]  # `import os.path` binds os
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def dotted(node: ast.expr, names: dict[str, str]) -> str | None:
    """The full name of `a.b.c`, where `a` was imported; None for anything else."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else None
    return None


def uses(tree: ast.Module, banned: frozenset[str]) -> list[int]:
    """The lines that name something banned, called or passed on."""
    names = origins(tree)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.expr) and dotted(node, names) in banned]
    return sorted(node.lineno for node in found)


def opening(node: ast.AST) -> str:
    """The text that a string built at run time begins with; "" when it does not begin with a text."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), _, *_]):
            return text
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Add() | ast.Mod()):
            return text
        case ast.BinOp(left=ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]), op=ast.Add()):
            return text
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format" | "replace")):
            return text
    return ""


def built_sql(tree: ast.Module, *, schema_too: bool) -> list[int]:
    """The lines where SQL is put together from pieces; definitions of tables only on request."""
    openings = [(node.lineno, opening(node)) for node in ast.walk(tree) if isinstance(node, ast.expr)]
    return [line for line, text in openings if QUERY.match(text) or (schema_too and SCHEMA.match(text))]


def offences(tree: str, banned: frozenset[str], but: str = "") -> list[str]:
    """`path:line` of each use of something banned below `tree`."""
    files = [(path, parsed) for path, parsed in sources(tree) if path != but]
    return [f"{path}:{line}" for path, parsed in files for line in uses(parsed, banned)]


def test_product_code_never_calls_wait_for() -> None:
    """A deadline is `asyncio.timeout`, which passes a cancel on."""
    assert offences("src", SWALLOWS_CANCEL) == []


def test_only_the_clock_reads_the_clock() -> None:
    """Every other module of Duly is given its `now`."""
    assert offences("src/duly", WALL_CLOCKS, but="src/duly/clock.py") == []


def test_no_test_sleeps() -> None:
    """A test moves its clock, waits for an event or calls `tick(now)`."""
    assert offences("tests", SLEEPS) == []


def test_no_query_is_built_from_strings() -> None:
    """A query is a `.sql` file, a constant or Core; table definitions are put together in the schema only."""
    found = [
        f"{path}:{line}"
        for path, tree in sources("src")
        for line in built_sql(tree, schema_too=not path.startswith(MAY_BUILD_SCHEMA))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "import time as t\nt.sleep(1)",
        "import time.zone; import os.path\ntime.sleep(1)",
        "from time import sleep\nsleep(1)",
        "from time import sleep as rest\nfield(default_factory=rest)",
        "def f():\n    import time; time.sleep(1)",
    ],
)
def test_a_banned_call_is_found_under_each_name(source: str) -> None:
    """An alias, a name taken from the module and a lazy import do not hide a banned call."""
    assert uses(ast.parse(source), SLEEPS) == [2]


@pytest.mark.parametrize(
    "source", ["import asyncio\nasyncio.sleep(1)", "time.sleep(1)", "self.clock.time.sleep(1)"]
)
def test_what_only_looks_like_a_banned_call_is_not_found(source: str) -> None:
    """A name counts when it was imported, not when it is spelt alike."""
    assert uses(ast.parse(source), SLEEPS) == []


@pytest.mark.parametrize(
    "source",
    [
        'f"SELECT {column} FROM task"',
        'f"PRAGMA busy_timeout = {ms}"',
        '"SELECT * FROM " + table',
        '"UPDATE task SET a = %s" % value',
        '"DELETE FROM {}".format(table)',
        'f"insert into {table} values (1)"',
        'f"""\n  WITH due AS (SELECT 1 FROM {table})"""',
        '"SELECT {t}".replace("{t}", table)',
        'f"DROP TABLE {table}"',
    ],
)
def test_sql_built_from_strings_is_found(source: str) -> None:
    """Interpolation, concatenation, % and format are all seen."""
    assert built_sql(ast.parse(source), schema_too=True) == [1]


@pytest.mark.parametrize(
    "source",
    [
        '"SELECT 1"',
        '"SELECT id " "FROM task"',
        'f"Update {name} and try again"',
        'f"DELETE {path}"',
        'f"{name}: SELECT"',
        'f"selected {name}"',
    ],
)
def test_a_constant_query_and_a_message_are_not_found(source: str) -> None:
    """A whole statement in one constant is fine, and so is a sentence that uses the same words."""
    assert built_sql(ast.parse(source), schema_too=True) == []


def test_schema_may_build_table_definitions_only() -> None:
    """Where DDL may be put together, a query still may not."""
    assert built_sql(ast.parse('f"DROP TABLE {table}"'), schema_too=False) == []
    assert built_sql(ast.parse('f"SELECT {column}"'), schema_too=False) == [1]
