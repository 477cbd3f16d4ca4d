"""Attacks a real server with every corpus of tests/corpora. Prints one JSON line: `make security`.

`auth_cells`: the authorisation matrix, and the tokens, forged requests and injections that must be refused;
`auth_wrong` of them went wrong. `ssrf_cases`: targets inside, however written, through names, and through
names that change; `ssrf_passed` of them could be called. `bad_inputs`: bodies, paths and queries that must
be refused with 4xx; `bad_inputs_wrong` were not, `bad_inputs_500` broke the server. `sockets`: handshakes of
WebSockets, and what is asked for on open ones; `sockets_passed` got in or saw what they may not (or were kept
out although they may). Exits 1 when a figure that must be 0 is not.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from duly.config import load
from duly.runtime import credentials
from support import attacks, knocks  # type: ignore[import-not-found]
from support.handshakes import ALLOWED  # type: ignore[import-not-found]
from support.matrix import Matrix  # type: ignore[import-not-found]
from support.serving import serving  # type: ignore[import-not-found]

TESTS = Path(__file__).resolve().parent.parent / "tests"
PATIENCE = 30.0
MUST_BE_ZERO = ("auth_wrong", "ssrf_passed", "bad_inputs_wrong", "bad_inputs_500", "sockets_passed")


async def attacked(target: Any) -> tuple[dict[str, int], list[str]]:
    """The figures, and a line for each case that went wrong."""
    played = [await play(target) for play in (attacks.tokens, attacks.forgeries, attacks.injections)]
    inputs, broke = await attacks.bad_inputs(target)
    inside = await attacks.inside()
    sockets = await knocks.sockets(target)
    matrix = Matrix(target.client, target.credentials)
    await matrix.prepare()
    cells = [cell async for cell in matrix.cells()]
    wrong = [f"{one.name} {one.principal}: {one.got}, not {one.expected}" for one in cells if one.wrong]
    wrong += [line for one in played for line in one.wrong]
    figures = {
        "auth_cells": len(cells) + sum(one.cases for one in played),
        "auth_wrong": len(wrong),
        "ssrf_cases": inside.cases,
        "ssrf_passed": len(inside.wrong),
        "bad_inputs": inputs.cases,
        "bad_inputs_wrong": len(inputs.wrong),
        "bad_inputs_500": broke,
        "sockets": sockets.cases,
        "sockets_passed": len(sockets.wrong),
    }
    return figures, [*wrong, *inside.wrong, *inputs.wrong, *sockets.wrong]


async def attack(url: str, folder: Path) -> tuple[dict[str, int], list[str]]:
    """All of it, from outside; the secrets of the installation are known, to forge with."""
    database = f"sqlite:///{folder / 'duly.db'}"
    found = credentials.read(load({"database_url": database}, environ={}))
    async with httpx2.AsyncClient(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        return await attacked(attacks.Target(client, found, url, database))


def main() -> int:
    """Runs all of it."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        words = {"DULY_LOG_LEVEL": "error", "DULY_ORIGINS": ALLOWED}
        with serving(place, "security_app:duly", TESTS / "support", **words) as (url, _):
            figures, wrong = asyncio.run(attack(url, place))
    for line in wrong[:60]:
        print(line, file=sys.stderr)
    print(json.dumps(figures))
    return int(any(figures[name] for name in MUST_BE_ZERO))


if __name__ == "__main__":
    sys.exit(main())
