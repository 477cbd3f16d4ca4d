"""Secrets that could be guessed keep an installation from opening itself to others."""

from __future__ import annotations

from pathlib import Path

import pytest

from duly.config import Settings, SettingsError, load
from duly.runtime.credentials import Credentials, ensure, weaknesses

GOOD = Credentials(
    token="duly_aB3dE5gH7jK9mN1pQ3sT5vW7",
    jwt_secret="0123456789abcdefghijklmnopqrstuv",
    webhook_secret="whsec_aB3dE5gH7jK9mN1pQ3sT5vW7",
)


def written(folder: Path, **secrets: str) -> str:
    """A token file with these secrets."""
    file = folder / "duly.token"
    lines = [f"{name}={secrets.get(name, getattr(GOOD, name))}" for name in Credentials.__dataclass_fields__]
    file.write_text("\n".join(lines))
    file.chmod(0o600)
    return str(file)


WEAK = [
    {"jwt_secret": "0123456789abcdefghijklmnopqrstu"},
    {"jwt_secret": "a" * 64},
    {"jwt_secret": "changeme-0123456789abcdefghijklmnopqrstuv"},
    {"jwt_secret": "My-Default-0123456789abcdefghijklmnopqrstuv"},
    {"token": "admin"},
    {"token": "password0123456789abcdefgh"},
    {"webhook_secret": "whsec_abc"},
]


@pytest.mark.parametrize("secrets", WEAK, ids=repr)
def test_a_weak_secret_does_not_start_on_an_open_host(tmp_path: Path, secrets: dict[str, str]) -> None:
    """Shorter than 32 bytes, of few characters, or out of a manual: refused, and the name is told."""
    [name] = secrets
    settings = Settings(host="0.0.0.0", token_file=written(tmp_path, **secrets))
    with pytest.raises(SettingsError, match=f"{name} is too weak") as caught:
        ensure(settings)
    assert secrets[name] not in str(caught.value)


@pytest.mark.parametrize("secrets", WEAK, ids=repr)
def test_on_this_host_only_it_starts(tmp_path: Path, secrets: dict[str, str]) -> None:
    """Nobody else can guess there."""
    ensure(Settings(host="127.0.0.1", token_file=written(tmp_path, **secrets)))


def test_what_the_first_start_makes_is_strong(tmp_path: Path) -> None:
    """A fresh installation may bind any host."""
    found = ensure(Settings(host="0.0.0.0", token_file=str(tmp_path / "new.token")))
    assert weaknesses(found) == []
    assert weaknesses(GOOD) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "duly.example", ""])
def test_an_open_installation_binds_this_host_only(host: str) -> None:
    """auth = loopback with any other address is refused when the settings are read."""
    with pytest.raises(SettingsError, match="loopback"):
        load({"auth": "loopback", "host": host}, environ={})
