"""`Duly`: the asynchronous client for programs without a loop; each call runs it until it has an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from duly.client.remote import AsyncDuly

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(
    call: Callable[Concatenate[AsyncDuly, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Duly, P], T]:
    def blocking(self: Duly, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.runner.run(call(self.remote, *args, **kwargs))

    blocking.__doc__, blocking.__name__ = call.__doc__, call.__name__
    return blocking


def _iterated(
    call: Callable[Concatenate[AsyncDuly, P], AsyncGenerator[T]],
) -> Callable[Concatenate[Duly, P], Iterator[T]]:
    def iterated(self: Duly, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        found = call(self.remote, *args, **kwargs)
        try:
            while (one := self.runner.run(_next(found))) is not None:
                yield one
        finally:
            self.runner.run(found.aclose())

    iterated.__doc__, iterated.__name__ = call.__doc__, call.__name__
    return iterated


async def _next(found: AsyncGenerator[T]) -> T | None:
    return await anext(found, None)


class Duly:
    """As `AsyncDuly`, blocking; one thread at a time. `with Duly(url, token) as duly`, or `close()`."""

    def __init__(self, url: str, token: str = "", **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.remote = AsyncDuly(url, token, **options)

    def __enter__(self) -> Duly:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self.runner.run(self.remote.close())
        self.runner.close()

    submit = _blocking(AsyncDuly.submit)
    batch = _blocking(AsyncDuly.batch)
    get = _blocking(AsyncDuly.get)
    wait = _blocking(AsyncDuly.wait)
    cancel = _blocking(AsyncDuly.cancel)
    retry = _blocking(AsyncDuly.retry)
    upload = _blocking(AsyncDuly.upload)
    notifications = _blocking(AsyncDuly.notifications)
    stream = _iterated(AsyncDuly.stream)
    follow = _iterated(AsyncDuly.follow)
