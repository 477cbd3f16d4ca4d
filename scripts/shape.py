#!/usr/bin/env python3
"""The shape gate: sizes that keep the code readable, held from the first commit without exceptions.

`shape.py [ROOT]` reads src/, tests/ and scripts/ below ROOT, prints each offence as `path:line: message` and
then one line of what it measured, and exits 1 when there was an offence. CONTRIBUTING.md says what then.
"""

import argparse
import ast
import re
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

TREES = ("src", "tests", "scripts")
SQL_TREE = Path("src/duly/store/sql")

FILE_LINES = 400
MEDIAN_FILE_LINES = 130
FUNCTION_LINES = 50
SHORT_FUNCTION_LINES = 20
SHORT_FUNCTION_SHARE = 0.9
NESTING = 3
PARAMETERS = 8
METHODS = 25
SQL_LINES = 40
DOCSTRING_LINES = 6
FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "common", "misc", "manager", "base_service"})

# A guarantee is a sentence, so at least three words; `-- claim` says nothing.
SQL_GUARANTEE = re.compile(r"--\s*\S+\s+\S+\s+\S+")

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """One broken rule, and the line to open."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One parsed Python file; `path` is relative to the root."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def is_product(self) -> bool:
        return self.path.parts[0] == "src"

    def functions(self) -> Iterator[Function]:
        """Every function and method, the nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS))


def read(root: Path) -> tuple[list[Source], list[Offence]]:
    """Parse every Python file of the three trees; one that does not parse is an offence of its own."""
    sources: list[Source] = []
    broken: list[Offence] = []
    for path in sorted(path for tree in TREES for path in (root / tree).rglob("*.py")):
        relative, text = path.relative_to(root), path.read_text(encoding="utf-8")
        try:
            sources.append(Source(path=relative, text=text, tree=ast.parse(text)))
        except SyntaxError as error:
            broken.append(
                Offence(path=relative, line=error.lineno or 1, message=f"does not parse: {error.msg}")
            )
    return sources, broken


def function_lines(function: Function) -> int:
    """Lines from `def` to the last one, without the docstring (and without decorators)."""
    last = function.end_lineno or function.lineno
    return last - function.lineno + 1 - docstring_lines(function)


def docstring_lines(node: Function) -> int:
    """Lines the docstring of a function takes in the file; 0 without one."""
    if ast.get_docstring(node, clean=False) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def nesting(body: list[ast.stmt]) -> int:
    """How deep blocks stand in each other.

    Each if, for, while, with, try and match around a statement counts one, whichever of its parts the
    statement is in. An `elif` chain, also one written as `else:` and a lone `if`, is as deep as its first
    `if`; a `case` is not deeper than its `match`. A nested function starts again at 0 and is measured by
    itself; comprehensions, conditional expressions and lambdas do not count.
    """
    return max((depth(statement) for statement in body), default=0)


def depth(statement: ast.stmt) -> int:
    """The depth one statement adds: 0 for a simple one, 1 and its content for a block."""
    if not isinstance(statement, BLOCKS):
        return 0
    inner = [nesting(body) + 1 for body in parts(statement)]
    if isinstance(statement, ast.If) and is_elif(statement.orelse):
        return max(nesting(statement.body) + 1, depth(statement.orelse[0]))
    return max(inner)


def is_elif(orelse: list[ast.stmt]) -> bool:
    """Whether the else part of an `if` is another `if` and nothing more."""
    return len(orelse) == 1 and isinstance(orelse[0], ast.If)


def parts(block: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The statement lists of a block: body, else, finally, handlers, cases."""
    for name in ("body", "orelse", "finalbody"):
        yield getattr(block, name, [])
    for part in (*getattr(block, "handlers", ()), *getattr(block, "cases", ())):
        yield part.body


def parameters(function: Function) -> int:
    """Parameters without a leading self or cls; `*args` and `**kwargs` count one each."""
    args = function.args
    named = [arg.arg for arg in (*args.posonlyargs, *args.args)]
    receiver = named[:1] in (["self"], ["cls"])
    starred = sum(arg is not None for arg in (args.vararg, args.kwarg))
    return len(named) - receiver + len(args.kwonlyargs) + starred


def methods(node: ast.ClassDef) -> int:
    """Methods by name: an overload or a property's setter is not one more."""
    return len({item.name for item in node.body if isinstance(item, FUNCTIONS)})


def check_file(source: Source) -> Iterator[Offence]:
    """The rules on a file as a whole: its length and its name."""
    if source.lines > FILE_LINES:
        yield Offence(
            path=source.path,
            line=FILE_LINES + 1,
            message=f"file has {source.lines} lines, at most {FILE_LINES}",
        )
    for name in (*source.path.parts[1:-1], source.path.stem):
        if name in FORBIDDEN_NAMES:
            yield Offence(
                path=source.path, line=1, message=f"'{name}' names no job; name the module after its noun"
            )


def check_docstring(source: Source) -> Iterator[Offence]:
    """Each product module says its job; one that is not a package in one to six lines.

    Blank lines and indented ones do not count: a drawing or an example is not prose.
    """
    if not source.is_product:
        return
    docstring = ast.get_docstring(source.tree)
    if not docstring:
        yield Offence(path=source.path, line=1, message="module without a docstring")
        return
    prose = [line for line in docstring.splitlines() if line and not line.startswith(" ")]
    if source.path.name != "__init__.py" and len(prose) > DOCSTRING_LINES:
        message = f"module docstring has {len(prose)} lines of prose, at most {DOCSTRING_LINES}"
        yield Offence(path=source.path, line=1, message=message)


def check_function(source: Source, function: Function) -> Iterator[Offence]:
    """The rules on one function: length, nesting, parameters."""
    measures = (
        ("lines", function_lines(function), FUNCTION_LINES),
        ("levels of nesting", nesting(function.body), NESTING),
        ("parameters", parameters(function), PARAMETERS),
    )
    for what, measured, most in measures:
        if measured > most:
            message = f"function {function.name} has {measured} {what}, at most {most}"
            yield Offence(path=source.path, line=function.lineno, message=message)


def check_classes(source: Source) -> Iterator[Offence]:
    """The rule on a class: how many methods it has."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ClassDef) and methods(node) > METHODS:
            message = f"class {node.name} has {methods(node)} methods, at most {METHODS}"
            yield Offence(path=source.path, line=node.lineno, message=message)


def check_sql(root: Path) -> Iterator[Offence]:
    """A statement file is short and opens with the guarantee it gives."""
    for path in sorted((root / SQL_TREE).rglob("*.sql")):
        lines = path.read_text(encoding="utf-8").splitlines()
        relative = path.relative_to(root)
        if len(lines) > SQL_LINES:
            message = f"statement has {len(lines)} lines, at most {SQL_LINES}"
            yield Offence(path=relative, line=SQL_LINES + 1, message=message)
        if not lines or not SQL_GUARANTEE.match(lines[0]):
            yield Offence(
                path=relative, line=1, message="the first line is not a comment that states a guarantee"
            )


def check_sources(sources: list[Source]) -> Iterator[Offence]:
    """All rules that look at one Python file at a time."""
    for source in sources:
        yield from check_file(source)
        yield from check_docstring(source)
        yield from check_classes(source)
        for function in source.functions():
            yield from check_function(source, function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What the product's code measures as a whole; `files` and `lines` cover all three trees."""

    files: int
    lines: int
    median: float
    longest: str
    functions: int
    short_share: float

    @classmethod
    def of(cls, sources: list[Source]) -> Self:
        product = [source for source in sources if source.is_product]
        longest = max(sources, key=lambda source: source.lines, default=None)
        lengths = [function_lines(function) for source in product for function in source.functions()]
        short = sum(length <= SHORT_FUNCTION_LINES for length in lengths)
        return cls(
            files=len(sources),
            lines=sum(source.lines for source in sources),
            median=statistics.median([source.lines for source in product] or [0]),
            longest=f"{longest.lines} ({longest.path})" if longest else "0",
            functions=len(lengths),
            short_share=short / len(lengths) if lengths else 1.0,
        )

    def offences(self) -> Iterator[Offence]:
        """The two rules that no single file can break."""
        if self.median > MEDIAN_FILE_LINES:
            message = f"the median file has {self.median:g} lines, at most {MEDIAN_FILE_LINES}"
            yield Offence(path=Path("src"), line=0, message=message)
        if self.short_share < SHORT_FUNCTION_SHARE:
            message = (
                f"{self.short_share:.1%} of the functions have at most {SHORT_FUNCTION_LINES} lines, "
                f"at least {SHORT_FUNCTION_SHARE:.0%} must"
            )
            yield Offence(path=Path("src"), line=0, message=message)

    def __str__(self) -> str:
        return (
            f"{self.files} files, {self.lines:,} lines, longest {self.longest}; in src: "
            f"median {self.median:g} lines, {self.functions} functions, "
            f"{self.short_share:.1%} of them at most {SHORT_FUNCTION_LINES} lines"
        )


def check(root: Path) -> tuple[Measures, list[Offence]]:
    """Measure the tree below `root` and list all that is out of shape."""
    sources, broken = read(root)
    measures = Measures.of(sources)
    return measures, [*broken, *check_sources(sources), *check_sql(root), *measures.offences()]


def main(arguments: list[str] | None = None) -> int:
    """Print the offences and one line of numbers; 1 when there was an offence."""
    parser = argparse.ArgumentParser(
        description="Check the shape of the code: sizes, nesting, names, docstrings."
    )
    parser.add_argument("root", type=Path, nargs="?", default=Path(__file__).resolve().parents[1])
    measures, offences = check(parser.parse_args(arguments).root)
    for offence in offences:
        print(offence)
    print(f"shape: {measures}; {len(offences)} offences")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
