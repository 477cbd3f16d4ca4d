"""The handlers that the tests of the command line submit to; workers load them as `shop_under_test:duly`."""

from __future__ import annotations

from typing import Any

from duly import Context, Duly, Fail

duly = Duly("shop")


@duly.task("greet", timeout=60, version=("3", "2"))
async def greet(ctx: Context, name: str, times: int = 1) -> dict[str, Any]:
    """Remembers one step per greeting, streams them, says how far it is."""
    for n in range(times):
        said = await ctx.step("say", _say, name, n)
        await ctx.emit(f"{said}\n")
    await ctx.progress(1.0, f"greeted {name}")
    return {"markdown": f"# {name}", "times": times}


async def _say(name: str, n: int) -> str:
    return f"hello {name} {n}"


@duly.task("break", max_retries=0)
async def break_(ctx: Context) -> None:
    """Fails for good."""
    raise Fail("no_text", "The scan holds no text.")


@duly.task("party")
async def party(ctx: Context, names: list[str]) -> list[Any]:
    """Greets each guest in a task of its own."""
    return await ctx.gather(*[await ctx.spawn("guest", "greet", {"name": name}) for name in names])


@duly.task("keep")
async def keep(ctx: Context, file: dict[str, Any]) -> dict[str, Any]:
    """Answers what an upload looked like."""
    return {**file, "bytes": len(await ctx.blob(file["blob"]))}


@duly.task("render")
async def render(ctx: Context) -> Any:
    """Has its work done by a vendor that never ends."""
    return await ctx.track("film", submit=lambda _: "v-1", poll=lambda _: {"status": "running"})


@duly.task("later", queue="side")
def later(ctx: Any) -> str:
    """Waits in a queue that the tests' workers do not serve."""
    return "done"
