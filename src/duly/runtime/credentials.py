"""The installation's secrets, made on first start in a file that only its owner can read (0600)."""

from __future__ import annotations

import os
import secrets
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from duly.config import Settings, SettingsError
from duly.store.sqlite import sqlite_path

#: What stands in manuals where a secret belongs.
_DEFAULTS = (
    "changeme",
    "change-me",
    "change_me",
    "change this",
    "default",
    "example",
    "insecure",
    "password",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credentials:
    """The administrator's token, the secret that signs user tokens (JWT), the one that signs webhooks."""

    token: str
    jwt_secret: str
    webhook_secret: str


def token_path(settings: Settings) -> Path:
    """Where the credentials lie: as set, or beside the file (`duly.db` has `duly.token`), or here."""
    if settings.token_file:
        return Path(settings.token_file).expanduser()
    if not settings.database_url.startswith("sqlite"):
        return Path("duly.token")
    return sqlite_path(settings.database_url).with_suffix(".token")


def read(settings: Settings) -> Credentials:
    """The credentials of an installation that has been started before.

    Raises:
        SettingsError: there is no such file, it lacks a line, or others can read it.
    """
    path = token_path(settings)
    try:
        lines = path.read_text("utf-8").splitlines()
        open_to_others = path.stat().st_mode & 0o077
    except FileNotFoundError:
        raise SettingsError(
            [f"there is no token file {path}; `duly serve` makes it on first start"]
        ) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path} is not a token file; move it away and start again"]) from None
    if open_to_others:
        raise SettingsError([f"{path} can be read by others; run: chmod 600 {path}"])
    values = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    missing = [name for name in Credentials.__dataclass_fields__ if not values.get(name)]
    if missing:
        raise SettingsError([f"{path} lacks {', '.join(missing)}; move it away and start again"])
    return Credentials(**{name: values[name] for name in Credentials.__dataclass_fields__})


def ensure(settings: Settings) -> Credentials:
    """The credentials, made now if this is the first start. Of two starts at once, one file wins."""
    path = token_path(settings)
    if not path.exists():
        made = Credentials(
            token=f"duly_{secrets.token_urlsafe(24)}",
            jwt_secret=secrets.token_urlsafe(48),
            webhook_secret="whsec_" + b64encode(secrets.token_bytes(32)).decode(),
        )
        _write_once(path, made)
    found = read(settings)
    if not settings.loopback and (weak := weaknesses(found)):
        path = token_path(settings)
        where = f"host {settings.host} is open to others, and {path}"
        raise SettingsError([f"{where}: {one}; move the file away and start again" for one in weak])
    return found


def weaknesses(credentials: Credentials) -> list[str]:
    """Secrets that could be guessed: too short, of too few characters, or words from a manual."""
    least = {"token": 20, "jwt_secret": 32, "webhook_secret": 24}
    return [
        f"{name} is too weak: at least {length} random bytes"
        for name, length in least.items()
        if _weak(getattr(credentials, name), length)
    ]


def _weak(secret: str, length: int) -> bool:
    known = any(word in secret.lower() for word in _DEFAULTS)
    return len(secret.encode()) < length or len(set(secret)) < 10 or known


def _write_once(path: Path, made: Credentials) -> None:
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("# Duly's secrets. Keep this file to yourself; delete it to make new ones.\n")
        for name in Credentials.__dataclass_fields__:
            file.write(f"{name}={getattr(made, name)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
