"""Endpoints, deliveries and inboxes on the command line, at the database and through a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from command_under_test import Shell

Submit = Callable[..., dict[str, Any]]
Work = Callable[[], None]
URL = "http://127.0.0.1:9/hook"


def test_an_endpoint_lives_and_goes(shell: Shell) -> None:
    """Its secret is shown when it is made and when it is rotated, never else."""
    made = shell(
        "endpoint", "add", URL, "--owner", "ann", "--event", "task.failed", "--ordered", "--json"
    ).json
    assert made["secret"].startswith("whsec_")
    id_ = made["id"]
    shown = shell("endpoint", "show", id_, "--json").json
    assert "secret" not in shown
    assert (shown["events"], shown["ordered"], shown["owner"]) == (["task.failed"], True, "ann")
    rotated = shell("endpoint", "rotate", id_, "--json").json
    assert rotated["secret"] not in (made["secret"], None)
    assert (rotated["secrets"], rotated["old_secret_until"] is not None) == (2, True)
    assert not shell("endpoint", "disable", id_, "--json").json["enabled"]
    assert shell("endpoint", "enable", id_, "--json").json["enabled"]
    assert "task.failed ordered" in shell("endpoint", "list", "--owner", "ann").out
    assert shell("endpoint", "list", "--owner", "bob").out.startswith("No endpoints")
    shell("endpoint", "remove", id_)
    assert shell("endpoint", "list", "--json").json == {"endpoints": []}


def test_a_private_key_stays_here(shell: Shell) -> None:
    """With --ed25519 the public key is shown, now and later."""
    made = shell("endpoint", "add", URL, "--ed25519", "--json").json
    assert made["public_key"].startswith("whpk_")
    assert "secret" not in made
    assert f"public key: {made['public_key']}" in shell("endpoint", "show", made["id"]).out


def test_a_test_says_how_it_ended(shell: Shell) -> None:
    """What may not be called is refused, in one line and with exit code 1."""
    id_ = shell("endpoint", "add", URL, "--json").json["id"]
    said = shell("endpoint", "test", id_)
    assert (said.code, said.out.split(" ")[0]) == (1, "rejected")


def test_dead_deliveries_are_listed_and_sent_again(shell: Shell, submit: Submit, work: Work) -> None:
    """By status and endpoint; one of them, or all of the endpoint."""
    id_ = shell("endpoint", "add", URL, "--json").json["id"]
    submit("greet", "name=Ann")
    work()
    [dead] = shell("deliveries", "--status", "dead", "--endpoint", id_, "--json").json["deliveries"]
    assert (dead["outcome"], len(dead["log"])) == ("rejected", 1)
    assert "rejected" in shell("deliveries").out
    assert shell("deliveries", "--resend", dead["id"], "--json").json["deliveries"][0]["status"] == "pending"
    assert shell("deliveries", "--resend", dead["id"]).code == 2
    assert shell("endpoint", "resend", id_).out.strip() == "to be sent again: 0"
    assert shell("deliveries", "--task", "none").out.startswith("No such deliveries")


def test_an_inbox_is_read(shell: Shell, submit: Submit, work: Work) -> None:
    """Lines with their numbers, a star on what is unread; marked one by one, up to a number, or all."""
    for name in ("Ann", "Bob", "Eve"):
        submit("greet", f"name={name}", "--deliver", "inbox")
    work()
    lines = shell("inbox", "--json").json["notifications"]
    assert len(lines) == 3
    first, second, _ = (str(line["id"]) for line in lines)
    assert shell("inbox", "--read", first).out.strip() == "marked: 1; unread: 2"
    assert shell("inbox", "--read-up-to", second, "--lang", "zh").out.strip() == "已标记：1 条；未读：1 条"
    assert len(shell("inbox", "--unread").out.splitlines()) == 1
    assert shell("inbox", "--read-all", "--json").json["unread"] == 0
    assert shell("inbox", "--unread").out.strip() == "Nothing in this inbox."


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("endpoint", "add", "ftp://a/"), "duly: an endpoint needs an http:// or https:// url"),
        (
            ("endpoint", "add", URL, "--format", "xml"),
            "duly: format must be standard-webhooks",
        ),
        (("endpoint", "add", URL, "--header", "Host:x"), "duly: an endpoint cannot set the header Host"),
        (("endpoint", "add", URL, "--header", "x"), "duly: a header is NAME:VALUE"),
        (("endpoint", "show", "none"), "duly: there is no endpoint none"),
        (("endpoint", "rotate", "none"), "duly: there is no endpoint none"),
        (("deliveries", "--endpoint", "none"), "duly: there is no endpoint none"),
        (("deliveries", "--resend", "none"), "duly: there is no delivery none"),
        (("inbox", "--read-all", "--read", "1"), "duly: say once what becomes read"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    shell: Shell, submit: Submit, arguments: tuple[str, ...], line: str
) -> None:
    """It says what is wrong, and the exit code is 2."""
    submit("later")
    said = shell(*arguments)
    assert said.code == 2
    assert said.err.startswith(line)
