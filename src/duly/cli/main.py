"""The entry of the command `duly`: its commands, in panels. Nothing heavy is imported before one runs."""

from __future__ import annotations

import typer

from duly.cli import (
    batch,
    database,
    deliveries,
    demo,
    doctor,
    endpoint,
    failed,
    fake_llm,
    gate,
    job,
    key,
    limit,
    monitor,
    prune,
    queue,
    schedule,
    serve,
    share,
    submit,
    tasks,
    token,
    usage,
)
from duly.cli.shell import Shell

_FIRST = """Try first: duly demo - a document is analysed, the server is killed half-way, nothing is lost.

Then: duly serve --apps tender, and in another window:
duly submit bidding_analysis --file tender.pdf --apps tender --wait

When something is wrong: duly doctor. When a task does not move: duly why ID."""

app = typer.Typer(
    cls=Shell,
    name="duly",
    help="Durable tasks for long-running AI work: accepted at once, done for sure, delivered to the user.",
    epilog=_FIRST,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

START = "Start here"
demo.register(app, START)
serve.register(app, START)
submit.register(app, tasks.PANEL)
batch.register(app, tasks.PANEL)
job.register(app, tasks.PANEL)
tasks.register(app)
schedule.register(app, tasks.PANEL)
failed.register(app)
queue.register(app)
share.register(app)
limit.register(app)
gate.register(app)
usage.register(app)
endpoint.register(app)
deliveries.register(app)
doctor.register(app)
token.register(app)
key.register(app)
database.register(app)
monitor.register(app, "Installation")
prune.register(app, "Installation")
fake_llm.register(app, "Installation")


def main() -> None:
    """Runs the command line."""
    app()
