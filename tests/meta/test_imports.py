"""The import contracts of pyproject.toml catch what they are for: each is broken once, in a skeleton."""

import json
import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sysconfig.get_path("scripts")) / "lint-imports"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]

# What the contracts allow and a reader might doubt.
ALLOWED = {
    "src/duly/__init__.py": "from duly.runtime import app",
    "src/duly/store/engine.py": "import sqlite3\nimport sqlalchemy.orm\nfrom duly.model import state",
    "src/duly/model/state.py": "import enum",
    "src/duly/runtime/broker.py": "import celery\nimport kombu",
    "src/duly/runtime/app.py": "import uvicorn\nfrom duly.store import engine\nfrom duly.claim import poller",
    "src/duly/claim/poller.py": "from duly.store import engine",
    "src/duly/deliver/webhook.py": "import httpx2",
    "src/duly/http/routes.py": "from fastapi import APIRouter\nfrom starlette.requests import Request",
    "src/duly/cli/remote.py": "import httpx2",
    "src/duly_apps/__init__.py": "",
    "src/duly_apps/novel/__init__.py": "",
    "src/duly_apps/tender/__init__.py": "import duly\nfrom duly.documents import read",
    "src/duly_apps/tender/routes.py": "from fastapi import APIRouter\nfrom duly.http import routes",
}

# (file, import, a part of the name of the contract it breaks)
FORBIDDEN = [
    ("src/duly/store/engine.py", "from duly.submit import admit", "downward"),
    ("src/duly/claim/poller.py", "import duly.execute", "downward"),
    ("src/duly/claim/poller.py", "import duly", "downward"),
    ("src/duly/clock/ticks.py", "import duly.config", "downward"),
    ("src/duly/claim/poller.py", "def lazy():\n    import duly.http", "downward"),
    ("src/duly/dashboard/__init__.py", "import duly.cli", "downward"),
    ("src/duly/llm/__init__.py", "import duly.claim", "downward"),
    ("src/duly/helpers.py", "", "downward"),
    ("src/duly/claim/poller.py", "from sqlalchemy import text", "database"),
    ("src/duly/runtime/app.py", "import alembic.command", "database"),
    ("src/duly/runtime/app.py", "from sqlite3 import connect", "database"),
    ("src/duly_apps/tender/tables.py", "from pysqlite3 import dbapi2", "database"),
    ("src/duly/__init__.py", "import sqlalchemy", "database"),
    ("src/duly/cli/serve.py", "import fastapi", "web framework"),
    ("src/duly_apps/tender/tasks.py", "from starlette.routing import Route", "web framework"),
    ("src/duly/http/serve.py", "import uvicorn", "server"),
    ("src/duly/execute/steps.py", "import httpx2", "calls out over HTTP"),
    ("src/duly/claim/poller.py", "import celery", "knows Celery"),
    ("src/duly/cli/checkup.py", "from kombu import Connection", "knows Celery"),
    ("src/duly_apps/tender/tasks.py", "from duly.store import engine", "public surface"),
    ("src/duly_apps/tender/tasks.py", "from duly_apps.novel import tasks", "each other"),
]


def required_modules() -> list[str]:
    """The names on the layers that are not optional, from the contract itself."""
    layers = next(contract["layers"] for contract in CONFIG["contracts"] if contract["type"] == "layers")
    names = [name.strip() for layer in layers for name in layer.split("|")]
    return [name for name in names if not name.startswith("(")]


def config() -> str:
    """The contracts of pyproject.toml as a file of their own; what they use of TOML is JSON too."""
    general = [f"{key} = {json.dumps(value)}" for key, value in CONFIG.items() if key != "contracts"]
    lines = ["[tool.importlinter]", *general]
    for contract in CONFIG["contracts"]:
        lines += [
            "[[tool.importlinter.contracts]]",
            *(f"{key} = {json.dumps(value)}" for key, value in contract.items()),
        ]
    return "\n".join(lines)


def lint(root: Path, files: dict[str, str]) -> tuple[int, list[str]]:
    """Lay the skeleton with `files` in it; returns the exit code and the contracts that broke."""
    packages = {f"src/duly/{name}/__init__.py": "" for name in required_modules()}
    for name, text in {**packages, **files, "pyproject.toml": config()}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    run = subprocess.run(
        [LINT_IMPORTS, "--no-cache", "--no-logo"],
        cwd=root,
        env={"PYTHONPATH": "src", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, re.findall(r"^(.+) BROKEN", run.stdout, re.MULTILINE)


def test_the_skeleton_keeps_every_contract(tmp_path: Path) -> None:
    """Imports the design asks for are allowed."""
    assert lint(tmp_path, ALLOWED) == (0, [])


@pytest.mark.parametrize(("path", "statement", "contract"), FORBIDDEN)
def test_a_forbidden_import_breaks_one_contract(
    tmp_path: Path, path: str, statement: str, contract: str
) -> None:
    """A planted import breaks the contract that is about it, and no other."""
    code, broken = lint(tmp_path, {**ALLOWED, path: f"{ALLOWED.get(path, '')}\n{statement}\n"})
    assert code == 1
    assert len(broken) == 1
    assert contract in broken[0]
