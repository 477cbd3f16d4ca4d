"""The shape gate trips on each rule, and passes what is just inside it."""

from collections.abc import Callable
from pathlib import Path

import pytest

import shape

WriteTree = Callable[..., Path]


@pytest.fixture
def write_tree(tmp_path: Path) -> WriteTree:
    """A tree of small sources: `write_tree({"src/duly/a.py": "…"})` returns its root."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


def module(body: str = "") -> str:
    return f'"""A job."""\n{body}'


def statements(count: int, indent: str = "") -> str:
    return f"{indent}x = 1\n" * count


def function(lines: int, docstring: str = "") -> str:
    """A function of `lines` lines, to which its docstring is not counted."""
    return f"def f():\n{docstring}{statements(lines - 1, '    ')}"


def nested(*openers: str) -> str:
    """A function whose body stands in one block per opener."""
    lines = ["def f(a):"]
    lines += ["    " * depth + opener for depth, opener in enumerate(openers, start=1)]
    return "\n".join([*lines, "    " * (len(openers) + 1) + "pass"]) + "\n"


def klass(methods: int) -> str:
    return "class C:\n" + "".join(f"    def m{n}(self):\n        pass\n" for n in range(methods))


ELIF_CHAIN = "def f(a):\n    if a == 1: pass\n" + "    elif a == 2: pass\n" * 9
ELSE_IF = """
def f(a):
    if a == 1:
        pass
    else:
        if a == 2:
            for b in a:
                with b: pass
"""
HANDLER = """
def f(a):
    for b in a:
        for c in b:
            try: pass
            except ValueError:
                if c: pass
"""
CASE = """
def f(a):
    match a:
        case 1:
            for b in a:
                for c in b:
                    pass
"""
MATCH = CASE.replace("pass", "if c: pass")
ASYNC = """
async def f(a):
    async with a:
        async for b in a:
            while b:
                if b: pass
"""
INNER = """
def f(a):
    for b in a:
        for c in b:
            if c:
                def g():
                    if c: pass
"""
PROPERTY = "class C:\n" + "".join(
    "    @property\n"
    f"    def m{n}(self):\n        pass\n"
    f"    @m{n}.setter\n    def m{n}(self, value):\n        pass\n"
    for n in range(25)
)
PROSE = "\n".join(f"Line {n}." for n in range(6))
PRODUCT = "src/duly/task.py"
SQL = "src/duly/store/sql/sqlite/claim.sql"

INSIDE = {
    "file of 400 lines": ("tests/test_a.py", statements(400)),
    "function of 50 lines": ("tests/test_a.py", function(50)),
    "a docstring is not counted": ("tests/test_a.py", function(50, '    """One\n    two."""\n')),
    "three levels": ("tests/test_a.py", nested("if a:", "while a:", "with a:")),
    "an elif chain is one level": ("tests/test_a.py", ELIF_CHAIN),
    "else and if is an elif": ("tests/test_a.py", ELSE_IF),
    "a case is as deep as its match": ("tests/test_a.py", CASE),
    "a function in a function starts again": ("tests/test_a.py", INNER),
    "eight parameters and self": (
        "tests/test_a.py",
        "class C:\n    def f(self, a, b, c, /, d, *e, f, g, **h): pass\n",
    ),
    "25 methods": ("tests/test_a.py", klass(25)),
    "a setter is no other method": ("tests/test_a.py", PROPERTY),
    "a name with a job": ("src/duly/utilisation.py", module()),
    "docstring of six lines": (PRODUCT, f'"""{PROSE}"""\n'),
    "a drawing is no prose": (PRODUCT, f'"""{PROSE}\n\n' + "    a -> b\n" * 9 + '"""\n'),
    "a package tells more": ("src/duly/__init__.py", f'"""{PROSE}\nAnd two more.\nLines."""\n'),
    "a test needs no module docstring": ("tests/test_a.py", ""),
    "SQL of 40 lines": (SQL, "-- Each task goes to one worker.\n" + "SELECT 1\n" * 39),
    "the median is 130 lines": (PRODUCT, module(statements(129))),
    "nine of ten functions are short": (PRODUCT, module(function(20) + function(2) * 8 + function(21))),
}

OUTSIDE = {
    "file of 401 lines": ("tests/test_a.py", statements(401), "test_a.py:401: file has 401 lines"),
    "function of 51 lines": ("scripts/a.py", "\n" + function(51), "a.py:2: function f has 51 lines"),
    "nested four deep": (
        "tests/a.py",
        nested("if a:", "for b in a:", "with b:", "while b:"),
        "4 levels of nesting",
    ),
    "four levels in a match": ("tests/a.py", MATCH, "has 4 levels of nesting, at most 3"),
    "a handler is inside its try": ("tests/a.py", HANDLER, "has 4 levels of nesting, at most 3"),
    "an async loop": ("tests/a.py", ASYNC, "has 4 levels of nesting, at most 3"),
    "nine parameters": ("tests/a.py", "def f(a, b, c, /, d, *e, f, g, h, **i): pass\n", "f has 9 parameters"),
    "26 methods": ("tests/a.py", "\n\n" + klass(26), "a.py:3: class C has 26 methods"),
    "a module without a job": ("src/duly/utils.py", module(), "'utils' names no job"),
    "a package without a job": ("src/duly/common/a.py", module(), "'common' names no job"),
    "no module docstring": (PRODUCT, "x = 1\n", "module without a docstring"),
    "an empty package": ("src/duly/__init__.py", "", "module without a docstring"),
    "docstring of seven lines": (PRODUCT, f'"""{PROSE}\nSeven."""\n', "has 7 lines of prose, at most 6"),
    "SQL of 41 lines": (SQL, "-- Each task goes to one worker.\n" + "SELECT 1\n" * 40, "has 41 lines"),
    "SQL without a guarantee": (SQL, "SELECT 1\n", "claim.sql:1: the first line is not a comment"),
    "SQL with a title only": (SQL, "-- claim\n", "claim.sql:1: the first line is not a comment"),
    "the median is 131 lines": (PRODUCT, module(statements(130)), "median file has 131 lines"),
    "two of ten functions are long": (PRODUCT, module(function(2) * 8 + function(21) * 2), "80.0% of the"),
    "a file that does not parse": (PRODUCT, "def f(:\n", "task.py:1: does not parse"),
}


@pytest.mark.parametrize(("path", "text"), INSIDE.values(), ids=INSIDE.keys())
def test_a_source_just_inside_a_rule_passes(write_tree: WriteTree, path: str, text: str) -> None:
    """What stands exactly at the edge of a rule is no offence."""
    _, offences = shape.check(write_tree({path: text}))
    assert [str(offence) for offence in offences] == []


@pytest.mark.parametrize(("path", "text", "said"), OUTSIDE.values(), ids=OUTSIDE.keys())
def test_a_source_just_outside_a_rule_is_one_offence(
    write_tree: WriteTree, path: str, text: str, said: str
) -> None:
    """One step over the edge is one offence, and its message says what and where."""
    _, offences = shape.check(write_tree({path: text}))
    assert len(offences) == 1
    assert said in str(offences[0])


def test_the_gate_exits_1_and_prints_where(write_tree: WriteTree, capsys: pytest.CaptureFixture[str]) -> None:
    """An offence is printed as path:line: message, the measures follow, and the exit code is 1."""
    root = write_tree({"src/duly/misc.py": module(), "scripts/job.py": ""})
    assert shape.main([str(root)]) == 1
    offence, summary = capsys.readouterr().out.splitlines()
    assert offence == "src/duly/misc.py:1: 'misc' names no job; name the module after its noun"
    assert summary == (
        "shape: 2 files, 1 lines, longest 1 (src/duly/misc.py); in src: median 1 lines, 0 functions, "
        "100.0% of them at most 20 lines; 1 offences"
    )


def test_the_gate_exits_0_on_a_tree_in_shape(write_tree: WriteTree) -> None:
    """Without an offence the exit code is 0."""
    assert shape.main([str(write_tree({PRODUCT: module(function(3))}))]) == 0
