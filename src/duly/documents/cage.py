"""What the parsing process may not do: use more than its share, write files, start programs, reach a network.

It locks itself in before it looks at the file. The system holds the limits and, on Linux, refuses the calls
that make a socket or start a program (seccomp); an audit hook refuses the same things everywhere else, and
says so in words. A parser that a hostile file has taken over finds nothing to do.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import Any, NoReturn

from .model import Limits

_OPEN_FILES = 64
_REFUSED_EVENTS = ("socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.fork", "os.system")
# The numbers of socket, socketpair, execve, execveat, io_uring_setup and ptrace on each machine, and its own.
_CALLS = {
    "x86_64": (0xC000003E, (41, 53, 59, 322, 425, 101)),
    "aarch64": (0xC00000B7, (198, 199, 221, 281, 425, 117)),
}
_FOREIGN_NUMBERS = 0x40000000  # x86_64 has a second set of numbers above this one
_SET_SECCOMP, _FILTER, _NO_NEW_PRIVILEGES = 22, 2, 38
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | 13  # the refusal is EACCES
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06


def lock_in(limits: Limits) -> None:
    """Everything at once, and for good: none of it can be taken back by this process."""
    _limit_resources(limits)
    _refuse_calls()
    sys.addaudithook(_audit)


def _limit_resources(limits: Limits) -> None:
    try:
        import resource
    except ImportError:  # not on Windows: there the parent's wall-clock limit is the only one
        return
    wanted = (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    )
    for what, most in wanted:
        _, hard = resource.getrlimit(what)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def _refuse_calls() -> None:
    """A filter of a dozen instructions; where the system has none, the audit hook is what there is."""
    machine = _CALLS.get(os.uname().machine) if sys.platform == "linux" else None
    if machine is None:
        return
    architecture, calls = machine
    code = [(_LOAD, 0, 0, 4), (_IF_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _REFUSE), (_LOAD, 0, 0, 0)]
    code.append((_IF_AT_LEAST, len(calls) + 1, 0, _FOREIGN_NUMBERS))
    code += [(_IF_EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls)]
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    body = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(body)))
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    system.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event.startswith(_REFUSED_EVENTS) or (event == "open" and _writes(arguments)):
        _refuse(event)


def _writes(arguments: tuple[Any, ...]) -> bool:
    mode = arguments[1] if len(arguments) > 1 else None
    return isinstance(mode, str) and any(sign in mode for sign in "wax+")


def _refuse(event: str) -> NoReturn:
    raise PermissionError(f"a document may not cause this: {event}")
