"""Finds what `--app` and `--apps` name: a user's `Duly` objects and the bundled apps."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from duly.config import Settings, SettingsError
from duly.runtime.declare import Duly


def load_declared(settings: Settings) -> Duly:
    """All task types and routes that the settings name, in one set.

    Raises:
        SettingsError: a module, an object or an app that is not there; one line each.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    together = Duly("all")
    problems: list[str] = []
    for spec in _names(settings.app):
        _include(together, *_split(spec), problems)
    for name in _names(settings.apps):
        if name not in bundled():
            problems.append(f"apps: there is no bundled app {name!r}; there are: {', '.join(bundled())}")
        else:
            _include(together, f"duly_apps.{name}", "duly", problems)
    if problems:
        raise SettingsError(problems)
    return together


def bundled() -> list[str]:
    """The names of the apps that come with Duly."""
    try:
        import duly_apps
    except ModuleNotFoundError:
        return []
    return sorted(
        path.parent.name for root in duly_apps.__path__ for path in Path(root).glob("*/__init__.py")
    )


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _split(spec: str) -> tuple[str, str]:
    module, _, name = spec.partition(":")
    return module, name or "duly"


def _include(together: Duly, module: str, name: str, problems: list[str]) -> None:
    try:
        found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        problems.append(
            f"app {module}:{name}: there is no module {error.name!r} (looked in {Path.cwd()} too)"
        )
    except AttributeError:
        problems.append(f"app {module}:{name}: the module has no {name!r}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a user's module can fail in any way
        problems.append(f"app {module}:{name}: importing it failed: {type(error).__name__}: {error}")
    else:
        _join(together, found, f"{module}:{name}", problems)


def _join(together: Duly, found: Any, source: str, problems: list[str]) -> None:
    what = f"app {source}"
    if not isinstance(found, Duly):
        problems.append(f"{what} is a {type(found).__name__}, not a Duly object")
        return
    try:
        found.named(source)
        together.include(found)
    except ValueError as error:
        problems.append(f"{what}: {error}")
