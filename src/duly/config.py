"""One frozen `Settings`: file < environment (`DULY_…`) < flags. `duly doctor` prints each with its source.

The file is `duly.toml` in the working folder, or what `DULY_CONFIG` names. An unknown name is an error
everywhere: a setting that is misspelt must not be silently ignored.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

#: Variables that begin with DULY_ and are not settings.
NOT_SETTINGS = frozenset(
    {"DULY_CONFIG", "DULY_FAILPOINTS", "DULY_HANDOVER", "DULY_REQUIRE_SERVICES", "DULY_TOKEN", "DULY_URL"}
)
#: Other names of settings, as some know them from elsewhere.
OTHER_NAMES = {"poll_interval": "poll", "batch_size": "concurrency"}
_BROKERS = ("amqp://", "amqps://", "redis://", "rediss://")
_KEY_ADDRESS = re.compile(r"(https://|http://(127\.0\.0\.1|localhost|\[::1\])(?=[:/]))[^?#\s@]+")
_RATE = re.compile(r"([1-9][0-9]{0,5}/([1-9][0-9]{0,4})?[smhd])?")
_ORIGIN = re.compile(r"https?://[^/?#\s@*]+/?")
_WEB_ADDRESS = re.compile(r"https?://[^/?#\s@]+(/[^?#\s]*)?")


class SettingsError(Exception):
    """One or more settings are wrong; `problems` has a line for each."""

    code = "settings"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """All that can be set. Durations are seconds unless the name says otherwise, sizes bytes."""

    model_config = SettingsConfigDict(env_prefix="DULY_", frozen=True, extra="forbid", allow_inf_nan=False)

    database_url: str = Field(
        "sqlite:///duly.db", description="Where everything is kept: sqlite:///, postgresql:// or mysql://."
    )
    database_listen_url: str = Field(
        "",
        description="Behind a transaction pooler: PostgreSQL's own URL for LISTEN, or none.",
    )
    app: str = Field("", description="Your handlers: module:object, several with commas.")
    apps: str = Field("", description="Bundled apps by name, several with commas: tender.")
    host: str = Field("127.0.0.1", description="Address that the API binds.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the API binds; 0 takes a free one.")
    public_url: str = Field(
        "", description="Under which address others reach the API, for the callbacks of external jobs."
    )
    auth: Literal["token", "loopback"] = Field(
        "token", description="token: every call needs a token. loopback: open, only on a loopback bind."
    )
    origins: str = Field(
        "",
        description="Whose pages may call the API with a token, and open WebSockets, besides our own: "
        "https://app.example.com, with commas; never *.",
    )
    token_file: str = Field("", description="Credentials, made on first start (0600); beside the database.")
    key_environment: str = Field(
        "live",
        pattern=r"^[a-z0-9]{1,12}$",
        description="The word in API keys that says of which installation they are; others' are refused.",
    )
    session_hours: float = Field(12, gt=0, le=8760, description="How long a browser stays signed in.")
    jwks_url: str = Field(
        "", description="Where an identity provider shows its public keys (JWKS): its JWTs are users."
    )
    jwks_file: str = Field("", description="The same keys in a file.")
    jwt_issuer: str = Field("", description="Whose JWTs these keys are for: their claim `iss`.")
    jwt_audience: str = Field("", description="For whom its JWTs must be made: their claim `aud`.")
    jwt_ceiling: Literal["viewer", "user", "operator", "admin"] = Field(
        "user", description="The highest role that a JWT of the identity provider can claim."
    )
    audit_days: float = Field(365, gt=0, description="How long lines of the audit log are kept.")
    engine: Literal["pull", "celery"] = Field(
        "pull", description="Who hands out tasks: our workers ask, or messages to Celery workers name them."
    )
    broker_url: str = Field(
        "amqp://guest:guest@127.0.0.1:5672//",
        description="Celery's broker, amqp:// (RabbitMQ) or redis://; only for engine = celery.",
    )
    broker_prefix: str = Field("duly.", description="What the broker's queue names begin with.")
    resend: float = Field(
        30, gt=0, description="Seconds after which a task that no Celery worker took is named again."
    )
    window: int = Field(
        1000, ge=1, le=100_000, description="Most messages of a queue that wait in the broker."
    )
    queues: str = Field("default", description="Queues that the worker serves, with commas.")
    concurrency: int = Field(
        64, ge=1, le=10_000, description="Async handlers at once per worker; also `batch_size`."
    )
    threads: int = Field(8, ge=1, le=1000, description="Plain handlers (threads) at once per worker.")
    processes: int = Field(2, ge=1, le=256, description="Isolated handlers (processes) at once per worker.")
    lease: float = Field(30, gt=0, description="How long a worker session lives without renewal.")
    renew: float = Field(10, gt=0, description="How often the supervisor renews the session.")
    max_consecutive_errors: int = Field(
        4, ge=1, le=1000, description="Errors in a row after which a worker is unready; it goes on trying."
    )
    sweep: float = Field(5, gt=0, description="How often lost work is looked for.")
    poll: float = Field(
        1, gt=0, description="How often a worker asks for work when no hint arrives; also `poll_interval`."
    )
    drain: float = Field(25, ge=0, description="How long handlers may take to their next step after SIGTERM.")
    stuck: float = Field(
        5, gt=0, description="How long a handler may ignore a stop before its worker is replaced."
    )
    ageing: float = Field(
        0, ge=0, description="Seconds after which a waiting task rises by one priority; 0: never."
    )
    wait_limit: float = Field(60, ge=0, le=600, description="Longest `Prefer: wait=N`.")
    receipt: float = Field(
        15,
        gt=0,
        description="Seconds in which a request must arrive; a body that comes gets one more for each KiB.",
    )
    connections: int = Field(2000, ge=1, description="Most connections of one API process at once.")
    connections_per_peer: int = Field(
        500,
        ge=0,
        description="Of them, most of one address or IPv6 /64; loopback is not counted. 0: no limit.",
    )
    body_limit: int = Field(1_048_576, ge=1024, description="Largest JSON body.")
    upload_limit: int = Field(104_857_600, ge=1024, description="Largest upload.")
    upload_days: float = Field(
        1, gt=0, description="How long an upload is kept that no task refers to, since it was sent."
    )
    rate_limit: str = Field(
        "", description="Most API requests of one caller, such as 600/m or 20/s; empty: no limit."
    )
    stream_limit: int = Field(
        200, ge=0, description="Most open streams and WebSockets of one caller and process; 0: no limit."
    )
    retention_days: float = Field(
        30, gt=0, description="How long an ended task is kept, unless its type or it says otherwise."
    )
    ledger_days: float = Field(
        400, gt=0, description="How long it is kept what model calls cost, whatever becomes of their tasks."
    )
    reserve: int = Field(
        8_388_608,
        ge=0,
        description="Bytes kept free beside a SQLite file, so that a full disk can be cleaned; 0: none.",
    )
    llm: dict[str, Any] = Field(
        {}, description="Model providers: a table `[llm.providers.NAME]`, in a variable JSON; see llm.md."
    )
    webhook_private: bool = Field(
        False, description="Whether webhooks may go to private and loopback addresses."
    )
    webhook_allow: str = Field(
        "", description="What webhooks may call besides, with commas: http://web:3000, 10.1.0.0/16."
    )
    log_format: Literal["logfmt", "json"] = Field("logfmt", description="How log lines are written.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged."
    )
    log_file: str = Field("", description="A file for the log, which rotation may move; empty: stderr.")

    @field_validator("llm", mode="before")
    @classmethod
    def _table(cls, given: Any) -> Any:
        """A variable holds it as JSON."""
        return json.loads(given) if isinstance(given, str) else given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` gathered: the order of sources stands there, in one place."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @property
    def allowed_origins(self) -> frozenset[str]:
        """The origins that `origins` names, as browsers write them."""
        return frozenset(one.rstrip("/").lower() for one in _named(self.origins))

    @property
    def queue_names(self) -> tuple[str, ...]:
        """The served queues, in order."""
        return tuple(dict.fromkeys(name.strip() for name in self.queues.split(",") if name.strip()))

    @property
    def loopback(self) -> bool:
        """Whether the API binds an address that only this host reaches."""
        return self.host in ("127.0.0.1", "::1", "localhost")


def load(flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from file, environment and flags; a flag of None was not given.

    Raises:
        SettingsError: unknown names and wrong values, all of them at once.
    """
    return load_with_sources(flags, environ)[0]


def load_with_sources(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, dict[str, str]]:
    """The settings, and for each where it came from: default, a file's name, a variable, or a flag."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    sources = dict.fromkeys(Settings.model_fields, "default")
    problems = _twice(environ)
    for source, given in (
        *_file(environ, problems),
        *_variables(environ),
        *(
            (f"--{name.replace('_', '-')}", {name: value})
            for name, value in (flags or {}).items()
            if value is not None
        ),
    ):
        for said, value in given.items():
            name = OTHER_NAMES.get(said, said)
            if name not in Settings.model_fields:
                problems.append(f"{source}: unknown setting {name!r}{_nearest(name)}")
            else:
                values[name], sources[name] = value, source
    settings = None
    try:
        settings = Settings(**values)
        problems += _contradictions(settings)
    except ValidationError as error:
        for one in error.errors():
            name = str(one["loc"][0]) if one["loc"] else "settings"
            problems.append(f"{sources.get(name, name)}: {name} = {one['input']!r}: {one['msg']}")
    if settings is None or problems:
        raise SettingsError(problems)
    return settings, sources


def _twice(environ: Mapping[str, str]) -> list[str]:
    """Settings that the environment gives under both of their names."""
    pairs = ((f"DULY_{other.upper()}", f"DULY_{name.upper()}") for other, name in OTHER_NAMES.items())
    return [
        f"{one} and {two} are two names of one setting; give one of them"
        for one, two in pairs
        if one in environ and two in environ
    ]


def _contradictions(settings: Settings) -> list[str]:
    problems = []
    if settings.auth == "loopback" and not settings.loopback:
        problems.append(
            f"auth = loopback opens everything, so host must be a loopback address, not {settings.host}"
        )
    if settings.renew * 2 > settings.lease:
        problems.append(f"renew ({settings.renew:g} s) must be at most half of lease ({settings.lease:g} s)")
    if settings.public_url and not _WEB_ADDRESS.fullmatch(settings.public_url):
        problems.append(f"public_url must be http(s)://host, with no query, not {settings.public_url!r}")
    problems += _identity(settings)
    if settings.engine == "celery" and not settings.broker_url.startswith(_BROKERS):
        problems.append(f"broker_url must begin with {', '.join(_BROKERS[:-1])} or {_BROKERS[-1]}")
    if not _RATE.fullmatch(settings.rate_limit):
        problems.append(f"rate_limit is written as 600/m or 20/s, not {settings.rate_limit!r}")
    problems += [
        f"origins: {place!r} is no origin; name each as https://app.example.com"
        for place in _named(settings.origins)
        if not _ORIGIN.fullmatch(place)
    ]
    problems += [
        f"webhook_allow: {place!r} is no scheme://host:port, network or address"
        for place in _named(settings.webhook_allow)
        if not _is_place(place)
    ]
    if not settings.queue_names:
        problems.append("queues must name at least one queue")
    return problems


def _identity(settings: Settings) -> list[str]:
    """What is missing for an identity provider's tokens to be believed."""
    url, file = settings.jwks_url, settings.jwks_file
    problems = ["jwks_url and jwks_file name two places; set one of them"] if url and file else []
    if (url or file) and not (settings.jwt_issuer and settings.jwt_audience):
        problems.append("jwks_url and jwks_file need jwt_issuer and jwt_audience: whose tokens, and for whom")
    if url and not _KEY_ADDRESS.fullmatch(url):
        problems.append(f"jwks_url must be https://, or http:// on this host, not {url!r}")
    return problems


def _named(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _is_place(text: str) -> bool:
    """Whether webhooks can be allowed there: an origin, or a network (`deliver.addresses` reads them)."""
    if _ORIGIN.fullmatch(text):
        return True
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _file(environ: Mapping[str, str], problems: list[str]) -> list[tuple[str, dict[str, Any]]]:
    named = environ.get("DULY_CONFIG")
    path = Path(named or "duly.toml")
    if not path.is_file():
        if named:
            problems.append(f"DULY_CONFIG: there is no file {named}")
        return []
    try:
        return [(str(path), tomllib.loads(path.read_text("utf-8")))]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: not TOML: {error}")
        return []


def _variables(environ: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    names = sorted(name for name in environ if name.startswith("DULY_") and name not in NOT_SETTINGS)
    return [(name, {name.removeprefix("DULY_").lower(): environ[name]}) for name in names]


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, Settings.model_fields, 1)
    return f"; did you mean {close[0]!r}?" if close else ""
