"""/client.js in Node against a served API: a submit, the lines, the output, the end, however it is cut."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from served import served
from site_under_test import Site

from duly.http.identity import issue_jwt
from duly.model.events import EventType
from duly.model.state import Status
from duly.store import claims, journal
from support.patience import PATIENCE

NODE = shutil.which("node") or ""
CLIENT = resources.files("duly.http") / "static" / "client.js"
#: Runs one scenario: prints a JSON line for whatever is told.
PROGRAM = """
import { Duly } from "./client.mjs";
const [url, token, what] = process.argv.slice(2);
const say = (...said) => console.log(JSON.stringify(said));
const duly = new Duly({ url, token });
if (what === "refused") await duly.submit("unheard").catch((error) => say(what, error.status, error.code));
else {
  const task = await duly.submit("echo", { a: 1 });
  say("id", task.id);
  if (what === "polled") { const real = fetch; globalThis.fetch = (to, options = {}) =>
    options.headers?.Accept ? Promise.reject(new TypeError("cut")) : real(to, options); }
  if (what === "restarted") { const real = fetch; let down = 4; globalThis.fetch = (...asked) =>
    down-- > 0 ? Promise.reject(new TypeError("refused")) : real(...asked); }
  duly.follow(task.id, {
    onevent: (line) => say("line", line.seq, line.type),
    onpartial: (text) => say("partial", text),
    onend: (task) => say("end", task.status, task.result),
    onerror: (error) => say("error", String(error)),
  });
}
"""
pytestmark = pytest.mark.skipif(not NODE, reason="Node is not there")


class Program:
    """The program in Node, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[Any] = []

    async def says(self, *wanted: Any) -> list[Any]:
        """Reads until it says something that begins so."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := await self._process.stdout.readline():
                self.said.append(json.loads(line))
                if self.said[-1][: len(wanted)] == list(wanted):
                    return list(self.said[-1])
        raise AssertionError(f"it ended: {self.said}")


@pytest.fixture
async def run(site: Site, tmp_path: Path) -> AsyncIterator[Any]:
    """Starts the program: `await run("streamed")`."""
    (tmp_path / "client.mjs").write_bytes(CLIENT.read_bytes())
    (tmp_path / "program.mjs").write_text(PROGRAM)
    processes = []

    async with served(site) as url:

        async def start(what: str) -> Program:
            token = issue_jwt(site.app.credentials, "ann")
            process = await asyncio.create_subprocess_exec(
                NODE, str(tmp_path / "program.mjs"), url, token, what, stdout=asyncio.subprocess.PIPE
            )
            processes.append(process)
            return Program(process)

        yield start
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_a_task_is_followed_to_its_end(site: Site, run: Any) -> None:
    """Each line once, the output, the ended task; cut on its way."""
    program = await run("streamed")
    [_, id_] = await program.says("id")
    await program.says("line", 1, "accepted")
    [claimed] = await site.claim()
    await program.says("line", 2, "started")
    for number in range(2):
        part = journal.Part(id=id_, attempt=claimed.attempt, part=number, text=f"<{number}>\u2028\n\n")
        await site.app.database.write(journal.stream, part)
        await program.says("partial", f"<{number}>\u2028\n\n")
        site.api.state.stopping.set()
        site.api.state.stopping.clear()
    async with site.user("ann") as ann:
        await ann.post(f"/api/tasks/{id_}/cancel")
    await program.says("line", 3, "cancel_requested")
    assert [one for one in program.said if one[0] == "partial"] == [
        ["partial", f"<{n}>\u2028\n\n"] for n in (0, 1)
    ]
    await _ended(site, id_, claimed.attempt)
    assert await program.says("end") == ["end", "completed", {"ok": 1}]


async def _ended(site: Site, id_: str, attempt: int) -> None:
    finish = claims.Finish(
        id=id_,
        attempt=attempt,
        target=Status.COMPLETED,
        event=EventType.COMPLETED,
        outcome="completed",
        result='{"ok": 1}',
    )
    await site.app.database.write(claims.finish, finish)


@pytest.mark.parametrize("what", ["polled", "restarted"])
async def test_where_nothing_streams_the_task_is_polled(site: Site, run: Any, what: str) -> None:
    """Every line still, and the end; nor is it given up while nobody answers at all."""
    program = await run(what)
    await program.says("id")
    await program.says("line", 1, "accepted")
    await site.finish({"ok": 1})
    assert await program.says("end") == ["end", "completed", {"ok": 1}]
    assert [one[1:] for one in program.said if one[0] == "line"] == [
        [1, "accepted"],
        [2, "started"],
        [3, "completed"],
    ]


async def test_a_refusal_is_an_error_with_its_code(run: Any) -> None:
    """As the problem says it."""
    program = await run("refused")
    assert await program.says("refused") == ["refused", 422, "unknown_task_type"]


async def test_the_file_is_served_with_a_tag(site: Site) -> None:
    """To anybody, as JavaScript; 304 to who has it."""
    async with site.client() as nobody:
        answer = await nobody.get("/client.js")
        again = await nobody.get("/client.js", headers={"If-None-Match": answer.headers["etag"]})
        other = await nobody.get("/client.js", headers={"If-None-Match": '"other"'})
    assert answer.content == CLIENT.read_bytes()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)
