"""A soak with one fault in place of its storm: load, the fault, drain, books, and how long all of it took."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import httpx2

from duly.http.probe import SERVES_SECONDS
from support.cluster import children, until
from support.fault_case import Case
from support.history import Phase
from support.receiver import Receiver
from support.soak import START_SECONDS, Plan, Report, Site, Soak
from support.soak_ledger import Line
from support.soak_units import Unit

SEED = 7
#: How often long tasks are handed in until a certain worker has some.
ROUNDS = 4
#: Tasks open at once, for two workers.
WIDTH = 8
BODY = {"task_type": "soak.work", "input": {"n": 1, "pause": 0.05}, "deliver": []}
#: Longer than any answer may take; who waits so long has been left hanging.
HANGING = 60.0
#: A lease, a sweep and its jitter, a poll, and time to do the work: what a dead worker's tasks may take.
ELSEWHERE_SECONDS = 45.0
#: What a submission may take while the database does not answer, until it says 503.
ANSWER_SECONDS = 20.0
#: What a probe of readiness may take.
READY_SECONDS = 5.0
#: What all may take that has the network back.
BACK_SECONDS = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer of the API and the seconds it took; status 0: none at all."""

    status: int
    seconds: float
    body: dict[str, Any]
    type: str = ""


class Trial(Soak):
    """One run of `fault`, which leaves the network healed."""

    #: Room on either worker for all that the other held.
    lanes: ClassVar[dict[str, str]] = {"DULY_CONCURRENCY": "16", "DULY_THREADS": "4"}

    def __init__(
        self,
        kind: str,
        folder: Path,
        receiver: Receiver,
        site: Site,
        fault: Callable[[Trial], Awaitable[None]],
        *,
        hook: str | None = None,
    ) -> None:
        super().__init__(Plan(database=kind, seconds=0, seed=SEED), folder, receiver, site)
        self.crowd.hook, self.crowd.width = hook or receiver.url, WIDTH
        self._fault = fault

    async def _weather(self) -> None:
        """Load and the fault at once, as soon as the API is there too."""
        over = asyncio.Event()
        await until(self._takes_work, START_SECONDS, every=0.2)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.crowd.run(over.is_set))
            try:
                await self._fault(self)
            finally:
                over.set()

    async def _takes_work(self) -> bool:
        return (await self.ask("GET", "/readyz")).status == 200

    async def ask(self, method: str, path: str, **request: Any) -> Answered:
        """One request beside the crowd's."""
        begun = time.monotonic()
        try:
            async with self.crowd.client(HANGING) as http:
                response = await http.request(method, path, **request)
        except httpx2.TransportError as error:
            return Answered(status=0, seconds=time.monotonic() - begun, body={"error": repr(error)})
        seconds, type_ = time.monotonic() - begun, response.headers.get("content-type", "")
        return Answered(status=response.status_code, seconds=seconds, body=response.json(), type=type_)

    async def hand_in(self) -> Answered:
        """One submission that may fail; the books know of it."""
        key, begun = f"trial-{time.monotonic_ns()}", time.monotonic()
        answer = await self.ask("POST", "/api/tasks", json=BODY, headers={"Idempotency-Key": key})
        phase = Phase.OK if answer.status == 202 else Phase.INFO
        self.crowd.note("trial", "submit", phase, begun, key=key, task=answer.body.get("id"))
        return answer

    async def submit(self, task_type: str, n: int, pause: float) -> str:
        """The id of a task that the books know as the crowd's own."""
        body = {"task_type": task_type, "input": {"n": n, "pause": pause}, "deliver": []}
        key = f"trial-{time.monotonic_ns()}"
        async with self.crowd.client() as http:
            id_ = await self.crowd.submit(http, "trial", key, body)
        assert id_ is not None, "the API takes nothing before the fault"
        return id_

    async def beating(self, unit: Unit, count: int) -> list[str]:
        """Long tasks, of which some run in a worker: their ids. Where the other one took all, more come."""

        def there() -> list[str]:
            self.ledger.read()
            pids = set(children(unit.pid))
            lines = {one.task for one in self.ledger.lines if one.what == "beat" and one.pid in pids}
            return sorted(lines)

        for _ in range(ROUNDS):
            for _ in range(count):
                await self.submit("soak.beat", 375, 0.2)
            with contextlib.suppress(AssertionError):
                return list(await until(there, 10, every=0.1))
        raise AssertionError(f"no task runs in {unit}")

    async def whole_again(self) -> float:
        """Seconds until every worker has a living session and the API takes work."""
        begun = time.monotonic()

        async def back() -> bool:
            return await self._takes_work() and await self._complete()

        with contextlib.suppress(AssertionError):
            await until(back, 2 * BACK_SECONDS, every=0.2)
        return time.monotonic() - begun

    def lines(self, what: str, tasks: list[str]) -> list[Line]:
        """What handlers noted of some tasks."""
        self.ledger.read()
        return [one for one in self.ledger.lines if one.what == what and one.task in tasks]

    def said(self, event: str) -> list[dict[str, Any]]:
        """What all units logged of one event."""
        logs = [unit.log.read_text("utf-8", "replace") for unit in self.fleet.units]
        lines = [json.loads(text) for log in logs for text in log.splitlines() if text.startswith("{")]
        return [line for line in lines if line.get("event") == event]


@contextlib.contextmanager
def ground() -> Iterator[Path]:
    """A folder that a server's account can pass through."""
    keep = os.environ.get("FAULTS_KEEP")  # `faults.py --keep`
    if keep:
        Path(keep).mkdir(0o755)
        yield Path(keep)
        return
    with tempfile.TemporaryDirectory(prefix="duly-fault-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def close(case: Case, trial: Trial) -> Report:
    """Runs a trial to its end; everything that its books find is a violation."""
    report = await trial.run()
    verdict = report.verdict
    for promise, wrong in verdict.wrong.items():
        case.wrong(promise, wrong)
    case.figure(accepted=verdict.acknowledged, unknown=verdict.unknown, recovered=verdict.recovered)
    case.figure(lost=len(verdict.wrong["lost"]), recorded_twice=len(verdict.wrong["recorded twice"]))
    case.holds("there was load", verdict.acknowledged > 10, verdict.acknowledged)
    return report


async def refusals(case: Case, trial: Trial, seconds: float) -> None:
    """Asks for so long while the database does not answer: every answer is 503, in time, and says why."""
    began, slowest, slowest_ready = time.monotonic(), 0.0, 0.0
    while (now := time.monotonic()) < began + seconds:
        submit, ready = await asyncio.gather(trial.hand_in(), trial.ask("GET", "/readyz"))
        slowest, slowest_ready = max(slowest, submit.seconds), max(slowest_ready, ready.seconds)
        case.holds("a submission is refused", submit.status == 503, f"{submit.status} {submit.body}")
        said = submit.type == "application/problem+json"
        case.holds("a refusal is problem+json", said, submit.type)
        if now > began + SERVES_SECONDS:
            case.holds("/readyz is 503", ready.status == 503, ready.status)
        await asyncio.sleep(0.5)
    case.figure(submit_503_max_s=round(slowest, 1), readyz_max_s=round(slowest_ready, 1))
    case.holds("submissions are answered in time", slowest <= ANSWER_SECONDS, f"{slowest:.1f} s")
    case.holds("/readyz is answered in time", slowest_ready <= READY_SECONDS, f"{slowest_ready:.1f} s")
