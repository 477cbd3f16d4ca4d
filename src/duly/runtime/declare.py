"""`Duly`: what a user's module declares (tasks, schedules, routes) and, once opened, how it submits."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from duly.model.limit import Limits
from duly.model.policy import RetryPolicy
from duly.model.task import Task
from duly.registry import Registry, TaskType

if TYPE_CHECKING:
    from duly.config import Settings
    from duly.runtime.app import App
    from duly.submit.schedules import Planned

Handler = TypeVar("Handler", bound=Callable[..., Any])
NAMELESS = "app"
_APP_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """An app's pages: a folder of ES modules whose `index.js` mounts them, and the app's name for people."""

    name: str
    folder: Path
    title: str
    title_zh: str


class More(TypedDict, total=False):
    """What else `Duly.task` takes."""

    version: str | tuple[str, ...]
    concurrency: int | None
    rate: str | None
    limit_key: str | None
    key_concurrency: int | None
    key_rate: str | None


class Duly:
    """A set of task types, schedules and routes, and a client for them.

    ```python
    duly = Duly()

    @duly.task("company.report", timeout=600, max_retries=3)
    async def company_report(ctx, company): ...

    async with duly:                                   # opens sqlite:///duly.db, or DULY_DATABASE_URL
        task = await duly.submit("company.report", {"company": "ACME"}, wait=20)
    ```

    Workers run what it declares: `duly worker --app module:duly`.
    """

    def __init__(self, name: str = NAMELESS, *, database_url: str | None = None) -> None:
        self.name = name
        self.registry = Registry()
        #: What is declared to tick, by the program that declares it.
        self.schedules: dict[str, list[Planned]] = {name: []}
        self.route_specs: list[str] = []
        self.app_pages: dict[str, Pages] = {}
        self._flags = {"database_url": database_url}
        self._app: App | None = None

    def task(
        self,
        task_type: str,
        *,
        queue: str = "default",
        timeout: float = 600,
        max_retries: int = 3,
        backoff: float = 2,
        isolate: bool = False,
        result_ttl: float | None = None,
        **more: Unpack[More],
    ) -> Callable[[Handler], Handler]:
        """Declares the handler of a task type and answers it unchanged.

        Args:
            task_type: the name under which tasks are submitted.
            queue: where its tasks wait.
            timeout: seconds an attempt may last; the deadline of a task may cut it short.
            max_retries: retries after the first attempt (3 retries are 4 attempts).
            backoff: seconds before the first retry; doubled for each further one, ± 20 %, at most 300.
            isolate: run each attempt in a process of its own, which a timeout or a cancel really kills.
            result_ttl: seconds that an ended task is kept, at least 60; None: `retention_days`.
            **more: version (of this code: a task that has recorded a step goes on under this version only;
                change it when the handler's steps change; `("2", "1")` is version 2, which can continue 1's
                tasks), and limits: `concurrency` (how many tasks of the type run at once in all processes),
                `rate` ("100/m": how many start in a time), `limit_key` (a dotted path into the input,
                `@tenant` or `@owner`: what tasks have in common), `key_concurrency` and `key_rate` (the same
                for each key). An operator's word beats these (`duly limit`).
        """

        limits: dict[str, Any] = {**more}
        version = limits.pop("version", "")

        def declare(handler: Handler) -> Handler:
            policy = RetryPolicy(max_retries=max_retries, base=backoff, cap=max(300.0, backoff))
            self.registry.add(
                TaskType(
                    name=task_type,
                    handler=handler,
                    queue=queue,
                    timeout=timeout,
                    isolate=isolate,
                    result_ttl=result_ttl,
                    policy=policy,
                    versions=version if isinstance(version, tuple) else (version,),
                    limits=Limits(**limits),
                )
            )
            return handler

        return declare

    def schedule(
        self,
        name: str,
        when: str | float,
        task_type: str,
        input: Any = None,  # noqa: A002 - the word of `submit`
        **options: Any,
    ) -> None:
        """Declares a task that is submitted at each tick, once however many workers run.

        ```python
        duly.schedule("morning", "0 8 * * 1-5", "company.report", {"company": "ACME"}, zone="Asia/Shanghai")
        duly.schedule("pulse", 300, "probe", catch_up="skip")
        ```

        Workers write it down when they start: what changed here is changed there, what is no longer here is
        removed, and a pause stays. Its name is one schedule in its tenant.

        Args:
            name: letters, digits, `_ . : -`.
            when: a cron line (minute hour day month weekday), or seconds from tick to tick.
            task_type: a task type of this program.
            input: the handler's arguments as a JSON object.
            **options: zone (an IANA name; UTC), catch_up ("one", "skip" or "all": what becomes of ticks that
                fell while no worker ran), catch_up_most (100), and those of `submit`; there due and deadline
                are seconds after the tick.

        Raises:
            InvalidInput: a cron line, a zone, an interval or an option that is none.
        """
        from duly.submit.schedules import declared

        beat = {"cron" if isinstance(when, str) else "every": when}
        self.schedules[self.name].append(declared(name, task_type, input or {}, {**options, **beat}))

    def routes(self, spec: str) -> None:
        """Adds HTTP routes by import string (`module:router`); loaded only where the API runs."""
        self.route_specs.append(spec)

    def pages(self, name: str, folder: str | Path, *, title: str, title_zh: str = "") -> None:
        """Serves an app's pages at `/apps/<name>/`, in the shell that Duly's own pages stand in.

        Args:
            name: lower-case letters, digits and hyphens.
            folder: static files; `index.js` imports `../../shell.js` and calls `mount(page)`.
            title: what the menu of apps says.
            title_zh: the same in Chinese.

        Raises:
            ValueError: not a name, or a folder without an `index.js`.
        """
        folder = Path(folder)
        if not _APP_NAME.fullmatch(name) or not (folder / "index.js").is_file():
            raise ValueError(f"pages {name!r}: needs a lower-case name and a folder with an index.js")
        self.app_pages[name] = Pages(name=name, folder=folder, title=title, title_zh=title_zh or title)

    def include(self, other: Duly) -> None:
        """Takes over the tasks, schedules, routes and pages of another set."""
        self.app_pages |= other.app_pages
        self.registry.include(other.registry)
        for source, planned in other.schedules.items():
            self.schedules.setdefault(source, []).extend(planned)
        self.route_specs += [spec for spec in other.route_specs if spec not in self.route_specs]

    def named(self, source: str) -> None:
        """Takes the name under which it was loaded, unless it was given one of its own."""
        if self.name == NAMELESS:
            self.schedules[source] = self.schedules.pop(self.name)
            self.name = source

    async def open(self, settings: Settings | None = None) -> App:
        """Opens the database for submitting; done once, on first use."""
        if self._app is None:
            from duly.config import load
            from duly.runtime.app import App

            app = App(settings or load(self._flags), self)
            await app.start()
            self._app = app
        return self._app

    async def close(self) -> None:
        """Closes the database."""
        if self._app is not None:
            app, self._app = self._app, None
            await app.stop()

    async def __aenter__(self) -> Duly:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def submit(self, task_type: str, input: Any = None, *, wait: float = 0, **options: Any) -> Task:  # noqa: A002
        """Accepts a task; the answer means that it is on stable storage.

        Args:
            task_type: a declared task type.
            input: the handler's arguments as a JSON object.
            wait: seconds to wait for the end; the task comes back finished or not.
            **options: see `duly.submit.admit.Options`: owner, tenant, priority 1..10, due, deadline, timeout,
                result_ttl, max_retries, idempotency_key, unique, tags, metadata, deliver, queue.

        Raises:
            InvalidInput: an unknown type, an input the handler does not take, an option out of range.
        """
        from duly.submit.admit import Options

        app = await self.open()
        return await app.client.submit(task_type, input or {}, Options(**options), wait=wait)

    async def submit_many(self, requests: list[tuple[str, Any]], **options: Any) -> list[str]:
        """Accepts (task type, input) pairs together: all of them, or none if one is invalid. Of those that go
        beyond a quota see `Client.submit_many`."""
        from duly.submit.admit import Options

        app = await self.open()
        shared = Options(**options)
        return await app.client.submit_many([(kind, value, shared) for kind, value in requests])

    def submit_in(self, connection: Any, task_type: str, input: Any = None, **options: Any) -> str:  # noqa: A002
        """Accepts a task inside your own open transaction; see `Client.submit_in`. Open `Duly` first."""
        from duly.submit.admit import Options

        if self._app is None:
            raise RuntimeError("open Duly first: `async with duly:` or `await duly.open()`")
        return self._app.client.submit_in(connection, task_type, input or {}, Options(**options))

    async def get(self, task_id: str) -> Task:
        """The task as it stands; `TaskNotFound` if there is none."""
        return await (await self.open()).client.get(task_id)

    async def wait(self, task_id: str, seconds: float = 60) -> Task:
        """The task when it has ended, or as it stands after `seconds`."""
        return await (await self.open()).client.wait(task_id, seconds)

    async def cancel(self, task_id: str) -> Task:
        """Cancels at once, or asks the running attempt to stop."""
        return await (await self.open()).client.cancel(task_id)

    async def signal(self, task_id: str, name: str, data: Any = None, *, id: str | None = None) -> Task:  # noqa: A002
        """Tells a task something: what its `ctx.wait_for(name)` answers. It is kept until then.

        Args:
            task_id: a task that has not ended.
            name: what the handler waits for.
            data: a JSON value of at most 64 KB.
            id: the same again is the same signal.
        """
        return await (await self.open()).client.signal(task_id, name, data, key=id)

    async def retry(self, task_id: str) -> Task:
        """Gives a failed or cancelled task another run; recorded steps are kept."""
        return await (await self.open()).client.retry(task_id)
