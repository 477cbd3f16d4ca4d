"""`duly serve` and `duly worker`: say where, then become the supervising process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from duly.cli.grouped import grouped
from duly.cli.options import Api, Installation, Logging, Work, given
from duly.cli.shell import Refusal

if TYPE_CHECKING:
    from duly.config import Settings

_SERVE = """Example: duly serve --apps tender --port 8000

Every setting has an environment variable too (DULY_PORT); duly doctor shows them all."""
_WORKER = """Example: duly worker --app shop:duly --queues default,slow

Try first: duly serve, which is API and worker in one."""


def register(app: typer.Typer, panel: str) -> None:
    """Adds the commands."""
    app.command(rich_help_panel=panel, epilog=_SERVE)(grouped(serve))
    app.command(rich_help_panel=panel, epilog=_WORKER)(grouped(worker))


def serve(
    api: Api,
    where: Installation,
    work: Work,
    logging: Logging,
    no_worker: Annotated[
        bool,
        typer.Option("--no-worker", help="The API only; workers run elsewhere.", rich_help_panel="Worker"),
    ] = False,
) -> None:
    """Run the API and a worker in one supervised process."""
    from duly.config import load
    from duly.runtime.launch import launch

    settings = load(given(api, where, work, logging))
    settings = settings.model_copy(update={"port": _free_port(settings.host, settings.port)})
    _check(settings)
    print(f"duly: {address(settings)}  {_entrance(settings)}", flush=True)
    launch("serve", settings, work=not no_worker)


def worker(
    where: Installation,
    work: Work,
    logging: Logging,
    once: Annotated[
        bool, typer.Option("--once", help="Do what is due, then end.", rich_help_panel="Worker")
    ] = False,
) -> None:
    """Run a worker without the API; start as many as there is work for."""
    from duly.config import load
    from duly.runtime.launch import launch

    settings = load(given(where, work, logging))
    if once and settings.engine == "celery":
        raise Refusal("--once runs tasks here; with engine = celery a worker only sends their ids")
    _check(settings)
    launch("worker", settings, once=once)


def _check(settings: Settings) -> None:
    """Meets here what would stop the supervised process, so that it is a line and not a log."""
    from duly.cli.footing import database_at
    from duly.runtime import credentials
    from duly.runtime.load import load_declared
    from duly.store import migrate

    load_declared(settings)
    if settings.engine == "celery":
        from duly.runtime.broker import celery_app

        celery_app(settings, patient=False)
    if settings.log_file:
        Path(settings.log_file).expanduser().open("a").close()
    migrate.ensure(database_at(settings))
    credentials.ensure(settings)


def address(settings: Settings) -> str:
    """The URL at which this host reaches the API."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - not bound here
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{settings.port}"


def _entrance(settings: Settings) -> str:
    from duly.runtime.credentials import token_path

    if settings.auth == "loopback":
        return "open to everything on this host (auth = loopback)"
    return f"token in {token_path(settings)} (duly token)"


def _free_port(host: str, port: int) -> int:
    """The port, if it can be bound now; for 0 one that can."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            hint = "another program has it; choose one with --port, 0 takes a free one"
            raise Refusal(f"{host}:{port} cannot be bound: {error.strerror or error}; {hint}") from None
        return int(probe.getsockname()[1])
