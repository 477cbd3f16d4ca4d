"""Finds what `--app` and `--apps` name: a user's `Duly` objects and the bundled apps."""

from __future__ import annotations

import importlib
import sys
from importlib import util
from pathlib import Path

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
        if util.find_spec("duly_apps") is None or util.find_spec(f"duly_apps.{name}") is None:
            problems.append(f"apps: there is no bundled app {name!r}; there are: {', '.join(bundled())}")
        else:
            _include(together, f"duly_apps.{name}", "duly", problems)
    if problems:
        raise SettingsError(problems)
    return together


def bundled() -> list[str]:
    """The names of the apps that come with Duly."""
    import duly_apps

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
    except Exception as error:  # noqa: BLE001 - a user's module can fail in any way; say so in one line
        problems.append(f"app {module}:{name}: importing it failed: {type(error).__name__}: {error}")
    else:
        if isinstance(found, Duly):
            together.include(found)
        else:
            problems.append(f"app {module}:{name} is a {type(found).__name__}, not a Duly object")
