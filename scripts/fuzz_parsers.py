"""Feeds bytes to the parsers of what strangers send, guided by coverage (atheris), each in its own process.

`fuzz_parsers.py [--seconds N] [NAME …]` ends with one JSON line: runs and crashes of each. Where atheris has
no wheel (it has one for Linux and Python 3.11) it says so and exits 3: the properties in tests/ go on.
"""

from __future__ import annotations

import argparse
import ipaddress
import itertools
import json
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

MISSING = 3
_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)|Done (\d+) runs")


def json_gate(data: bytes) -> None:
    """What passes is kept unchanged."""
    from duly.model import wire
    from duly.model.errors import InvalidInput

    try:
        value = wire.loads(data, limit=100_000)
    except InvalidInput:
        return
    if wire.loads(wire.dumps(value)) != value:
        raise AssertionError("the value changed")


def headers(data: bytes) -> None:
    """Prefer, Idempotency-Key, If-None-Match, Last-Event-ID and digests answer or are refused."""
    from starlette.requests import Request

    from duly.http import conditional, prefer, uploads
    from duly.http.prefer import BadHeader
    from duly.http.timeline import place_of

    names = (
        b"prefer",
        b"idempotency-key",
        b"if-none-match",
        b"last-event-id",
        b"content-digest",
        b"repr-digest",
        b"content-disposition",
    )
    request = Request(
        {"type": "http", "method": "GET", "path": "/", "headers": [(name, data) for name in names]}
    )
    if not 0 <= prefer.preference(request, 60).wait <= 60:
        raise AssertionError("out of range")
    place_of(prefer.last_event_id(request))
    conditional.has(request, '"a"')
    uploads._given_name(request)  # noqa: SLF001 - a parser of its module's own
    for parse in (prefer.idempotency_key, uploads._digest):  # noqa: SLF001 - the same
        try:
            parse(request)
        except BadHeader:
            continue


def names(data: bytes) -> None:
    """A file's name is safe, and comes back out of its header."""
    from duly.http.caller import display_name
    from duly.http.ranges import disposition

    name = display_name(data.decode("utf-8", "replace"))
    header = disposition(name)
    if not header.isascii() or set("\r\n\0") & set(header) or unquote(header.partition("''")[2]) != name:
        raise AssertionError(header)
    if not name or "/" in name or "\\" in name or len(name.encode()) > 255:
        raise AssertionError(name)


def cursors(data: bytes) -> None:
    """No text that we did not sign opens a page; one that we signed is a key or is refused."""
    from base64 import urlsafe_b64encode
    from types import SimpleNamespace

    from duly.http.paging import PURPOSE, BadCursor, Pages
    from duly.http.seals import seal

    app: Any = SimpleNamespace(credentials=SimpleNamespace(jwt_secret="s" * 32))
    request: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(duly=SimpleNamespace(app=app))))
    caller: Any = SimpleNamespace(role="user", tenant="", owner="ann")
    pages = Pages(request, caller, "tasks", {"status": "pending"})
    raw = data.decode("utf-8", "surrogateescape")
    for text in (raw, urlsafe_b64encode(data).decode()):
        signature = seal(app, PURPOSE, f"{pages._scope}{text}")  # noqa: SLF001 - as `answer` signs it
        for cursor, ours in ((text, False), (f"{text}.{signature}", True)):
            try:
                key = pages.open(cursor)
            except BadCursor:
                continue
            if not ours or not isinstance(key, list):
                raise AssertionError(cursor)


def cron(data: bytes) -> None:
    """A cron line and a moment are read or refused."""
    from duly.model.calendar import Cron
    from duly.model.errors import InvalidInput
    from duly.submit.admit import moment

    text = data.decode("utf-8", "replace")
    for parse in (lambda: Cron(line=text, zone="UTC"), lambda: moment(text, 0, "due")):
        try:
            parse()
        except InvalidInput:
            continue


def sse(data: bytes) -> None:
    """One event in is one event out: no line escapes its field."""
    from duly.http.sse import encode

    text = data.decode("utf-8", "replace")
    frame = encode("log", text, 1)
    lines = re.split(r"\r\n|\r|\n", frame.rstrip("\n"))
    if {line.partition(":")[0] for line in lines} - {"event", "data", "id"} or frame.count("\n\n") != 1:
        raise AssertionError(frame)


def webhook(data: bytes) -> None:
    """A webhook's URL is a target or is refused."""
    from duly.model.errors import InvalidInput
    from duly.submit.targets import target

    try:
        target(data.decode("utf-8", "replace"), lambda _: None)
    except InvalidInput:
        return


def addresses(data: bytes) -> None:
    """A webhook's URL, whatever its name leads to, passes with addresses only that anybody may call.

    Bytes behind the first 0 are what a resolver answers: addresses of IPv4 and IPv6 in turn.
    """
    from duly.deliver.addresses import Forbidden, allowed, checked

    written, _, answers = data.partition(b"\0")
    text = written.decode("utf-8", "replace")

    async def resolve(host: str, port: int) -> list[str]:
        try:  # numbers, as the system reads them; nobody is asked
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            return list(_resolved(answers))
        return [str(entry[4][0]) for entry in found]

    for private in (False, True):
        try:
            checked(text, private=private, resolve=resolve).send(None)
        except (Forbidden, OSError):
            continue
        except StopIteration as passed:
            reached = [one for one in passed.value.addresses if not _may_be_called(one, private)]
            if reached or not passed.value.addresses:
                raise AssertionError((text, reached)) from None
    try:
        allowed(text)
    except ValueError:
        return


def _resolved(answers: bytes) -> Iterator[str]:
    """What a resolver answers: 4 bytes are an address, then 16, and so on."""
    sizes = itertools.cycle((4, 16))
    while len(answers) >= (size := next(sizes)):
        one, answers = answers[:size], answers[size:]
        yield str(ipaddress.IPv4Address(one) if size == 4 else ipaddress.IPv6Address(one))


def _may_be_called(text: str, private: bool) -> bool:
    """What `addresses` holds an address to, in words of its own."""
    one = ipaddress.ip_address(text)
    if private and not one.is_link_local and (one.is_private or one in ipaddress.ip_network("100.64.0.0/10")):
        return not one.is_unspecified
    if isinstance(one, ipaddress.IPv6Address):
        carried = (one.ipv4_mapped, one.sixtofour, one.teredo)
        return one.is_global and one in ipaddress.ip_network("2000::/3") and carried == (None, None, None)
    return one.is_global and not one.is_multicast and not one.is_reserved


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one for one in (json_gate, headers, names, cursors, cron, sse, webhook, addresses)
}

#: Where to begin; without one the first line of a URL takes most of the time.
SEEDS: dict[str, tuple[bytes, ...]] = {
    "cursors": (b'["0190", 5]', b"WzFd.00000000000000000000000000000000"),
    "webhook": (b"https://hooks.example/a?b=c",),
    "addresses": (
        b"https://hooks.example/a\0\x08\x08\x08\x08",
        b"http://hooks.example:8080/\0\x08\x08\x08\x08\x26\x06" + bytes(13) + b"\1",
        b"http://[2606::1]/",
        b"http://0x7f.1/",
        b"http://web:3000,10.1.0.0/16",
    ),
}


def fuzz(name: str, seconds: int) -> dict[str, int]:
    """One parser in a process of its own; a crash ends it."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", name, "--seconds", str(seconds)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    runs = [int(one or other) for one, other in _RUNS.findall(done.stdout + done.stderr)]
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-4000:], sep="\n", file=sys.stderr)
    return {"runs": max(runs, default=0), "crashes": int(done.returncode != 0)}


def child(name: str, seconds: int) -> None:
    """Runs until its time is over; libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["duly", "cronsim"]):
        TARGETS[name](b"")
    begin = Path(tempfile.mkdtemp(dir="."))
    for number, seed in enumerate(SEEDS.get(name, ())):
        (begin / str(number)).write_bytes(seed)
    options = [
        sys.argv[0],
        str(begin),
        f"-max_total_time={seconds}",
        "-print_final_stats=1",
        "-max_len=512",
        "-timeout=20",
    ]
    atheris.Setup(options, TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*TARGETS, []], help="these parsers only")
    parser.add_argument("--seconds", type=int, default=60, help="for each")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    try:
        import atheris  # noqa: F401 - only whether it is there
    except ImportError:
        print("atheris is not there: it has wheels for Linux and Python 3.11 only", file=sys.stderr)
        return MISSING
    if wanted.child:
        child(wanted.child, wanted.seconds)
        return 0
    found = {name: fuzz(name, wanted.seconds) for name in wanted.names or TARGETS}
    crashes = sum(one["crashes"] for one in found.values())
    print(
        json.dumps({"runs": sum(one["runs"] for one in found.values()), "crashes": crashes, "parsers": found})
    )
    return min(1, crashes)


if __name__ == "__main__":
    sys.exit(main())
