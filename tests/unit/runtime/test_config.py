"""Settings: file < environment < flags, and every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from duly.config import Settings, SettingsError, load, load_with_sources
from duly.deliver.addresses import allowed


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a duly.toml."""
    monkeypatch.chdir(tmp_path)


def problems(environ: dict[str, str] | None = None, **flags: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(flags, environ or {})
    assert str(caught.value) == "; ".join(caught.value.problems)
    return caught.value.problems


def test_nothing_said_means_the_defaults() -> None:
    """One file in the working folder, one port on this host, closed to strangers."""
    settings = load({}, {})
    assert (settings.database_url, settings.host, settings.port) == ("sqlite:///duly.db", "127.0.0.1", 8000)
    assert settings.auth == "token"
    assert settings == Settings()


def test_flags_beat_variables_beat_the_file(tmp_path: Path) -> None:
    """Each source overrides the one before, name by name, and is remembered."""
    (tmp_path / "duly.toml").write_text("port = 1\nthreads = 1\nprocesses = 1\n")
    settings, sources = load_with_sources({"port": 3}, {"DULY_PORT": "2", "DULY_THREADS": "2"})
    assert (settings.port, settings.threads, settings.processes) == (3, 2, 1)
    assert [sources[name] for name in ("port", "threads", "processes", "lease")] == [
        "--port",
        "DULY_THREADS",
        "duly.toml",
        "default",
    ]


def test_a_flag_that_was_not_given_is_no_flag() -> None:
    """None leaves the word to the environment."""
    assert load({"port": None}, {"DULY_PORT": "2"}).port == 2


def test_the_file_may_lie_elsewhere(tmp_path: Path) -> None:
    """DULY_CONFIG names it; one that is not there is a problem, not a default."""
    path = tmp_path / "other.toml"
    path.write_text("port = 7\n")
    assert load({}, {"DULY_CONFIG": str(path)}).port == 7
    [problem] = problems({"DULY_CONFIG": str(tmp_path / "missing.toml")})
    assert "missing.toml" in problem


@pytest.mark.parametrize("text", ["port 7", b"\xff\xfe", "port = "])
def test_a_file_that_is_not_toml_is_a_problem(tmp_path: Path, text: str | bytes) -> None:
    """With its name."""
    (tmp_path / "duly.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    [problem] = problems()
    assert problem.startswith("duly.toml: not TOML")


@pytest.mark.parametrize(
    ("environ", "flags", "expected"),
    [
        ({"DULY_PROT": "1"}, {}, "DULY_PROT: unknown setting 'prot'; did you mean 'port'?"),
        ({}, {"concurency": 1}, "--concurency: unknown setting 'concurency'; did you mean 'concurrency'?"),
        ({"DULY_ZZZZZZ": "1"}, {}, "DULY_ZZZZZZ: unknown setting 'zzzzzz'"),
    ],
)
def test_a_misspelt_name_is_told_with_the_nearest(
    environ: dict[str, str], flags: dict[str, object], expected: str
) -> None:
    """A setting that is silently ignored would be found out in production."""
    assert problems(environ, **flags) == [expected]


def test_variables_of_other_programs_are_not_ours() -> None:
    """Only what begins with DULY_ is read; a few of those are not settings."""
    assert load({}, {"PORT": "1", "MY_DULY_PORT": "2", "DULY_TOKEN": "t", "DULY_FAILPOINTS": ""}).port == 8000


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Wrong values, unknown names and a bad file, each with its source."""
    (tmp_path / "duly.toml").write_text("lease = 'long'\nthreds = 3\n")
    found = "\n".join(problems({"DULY_PORT": "99999", "DULY_LOG_LEVEL": "loud"}, processes=0))
    for source in (
        "duly.toml: lease",
        "duly.toml: unknown setting 'threds'",
        "DULY_PORT: port",
        "DULY_LOG_LEVEL",
    ):
        assert source in found
    assert "--processes: processes = 0" in found


def test_contradictions_are_told_beside_unknown_names() -> None:
    """Also what only two settings together make wrong."""
    found = problems({"DULY_RENEW": "20", "DULY_PROT": "1", "DULY_AUTH": "loopback", "DULY_HOST": "0.0.0.0"})
    assert len(found) == 3
    assert any("half of lease" in problem for problem in found)
    assert any("loopback address" in problem for problem in found)


@pytest.mark.parametrize("name", ["lease", "renew", "sweep", "poll", "stuck", "retention_days"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_a_duration_is_a_finite_number_above_zero(name: str, value: str) -> None:
    """Anything else is a problem here, not an overflow later."""
    [problem] = problems({f"DULY_{name.upper()}": value})
    assert problem.startswith(f"DULY_{name.upper()}: {name} = ")


@pytest.mark.parametrize(
    ("text", "names"),
    [("default", ("default",)), (" fast , slow,", ("fast", "slow")), ("a,b,a", ("a", "b"))],
)
def test_queues_are_named_once_each(text: str, names: tuple[str, ...]) -> None:
    """In their order, whatever the blanks."""
    assert load({"queues": text}, {}).queue_names == names


def test_a_worker_needs_a_queue() -> None:
    """Only commas name none."""
    assert problems({"DULY_QUEUES": " , "}) == ["queues must name at least one queue"]


@pytest.mark.parametrize(("host", "loopback"), [("127.0.0.1", True), ("::1", True), ("localhost", True)])
def test_an_open_door_is_for_this_host_only(host: str, loopback: bool) -> None:
    """`auth = loopback` is accepted on a loopback bind."""
    assert load({"auth": "loopback", "host": host}, {}).loopback is loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com", "127.0.0.1.evil.com"])
def test_an_open_door_to_others_is_refused(host: str) -> None:
    """Whatever the address looks like."""
    [problem] = problems({"DULY_AUTH": "loopback", "DULY_HOST": host})
    assert host in problem


def test_settings_do_not_change() -> None:
    """One frozen object: what was checked is what runs."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().port = 1


def test_a_broker_that_the_bridge_does_not_know() -> None:
    """Said when it would be used, and without the URL, which holds a password."""
    elsewhere = {"DULY_BROKER_URL": "sqs://key:geheim@host"}
    assert load({}, elsewhere).engine == "pull"
    [problem] = problems({**elsewhere, "DULY_ENGINE": "celery"})
    assert problem.startswith("broker_url must begin with amqp://")
    assert "geheim" not in problem


def test_origins_are_named_one_by_one() -> None:
    """As a browser writes them; never all of them."""
    with pytest.raises(SettingsError) as caught:
        load(
            {
                "origins": "*, null, https://*.example.com, app.example.com, https://a.example/b, https://a.example"
            },
            {},
        )
    named = [problem.split("'")[1] for problem in caught.value.problems]
    assert named == ["*", "null", "https://*.example.com", "app.example.com", "https://a.example/b"]
    origins = load({"origins": "https://A.example/ , http://localhost:3000,"}, {}).allowed_origins
    assert origins == {"https://a.example", "http://localhost:3000"}


def test_a_place_that_is_none_cannot_be_allowed() -> None:
    """Each is named; what webhooks will be able to read passes."""
    places = "web:3000, http://web:3000, 10.0.0.0/33, 10.1.0.0/16, fd00::7, http://a/b"
    with pytest.raises(SettingsError) as caught:
        load({"webhook_allow": places}, {})
    named = [problem.split("'")[1] for problem in caught.value.problems]
    assert named == ["web:3000", "10.0.0.0/33", "http://a/b"]
    assert len(allowed("http://web:3000, 10.1.0.0/16, fd00::7")) == 3
