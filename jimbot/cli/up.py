"""`jimbot up`: the whole appliance with one command."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from jimbot.cli import Options
from jimbot.cli.spans import Span

DURATION = Span("duration", "smh", "90s, 5m or 2h", bare=True)


@click.command(name="up")
@click.option("--for", "seconds", type=DURATION, help="Stop after this long (90s, 5m, 2h).")
@click.option("--games", type=click.IntRange(min=1), help="Stop after this many games.")
@click.option("--no-train", is_flag=True, help="Leave Ray and the trainer out.")
@click.option("--profile", default="auto", show_default=True, help="workstation, laptop or ci.")
@click.option(
    "--runtime",
    type=click.Choice(["native", "containers"]),
    default="native",
    show_default=True,
    help="Processes of this machine, or containers of the table's images.",
)
@click.option(
    "--engine",
    type=click.Choice(["podman", "docker"]),
    default="podman",
    show_default=True,
    help="What runs the containers.",
)
@click.option("--reload", is_flag=True, help="Restart services whose code changes (development).")
@click.option("--json", "as_json", is_flag=True, help="End with one summary object on stdout.")
@click.pass_obj
def command(
    options: Options,
    seconds: float | None,
    games: int | None,
    no_train: bool,
    profile: str,
    runtime: Any,
    engine: str,
    reload: bool,
    as_json: bool,
) -> None:
    """Start the appliance, show it working, and stop it in order on Ctrl-C or SIGTERM.

    Once something was deployed it starts the current generation (see `jimbot generations`), and
    `--reload` what is installed.

    Exits 0 after a clean run, 1 when an acknowledged event was lost or a service had to be
    killed, 2 when it could not start.
    """
    from jimbot.cli.serve import SERVICES
    from jimbot.operations import view as views
    from jimbot.operations.up import Wish, up

    if reload and runtime != "native":
        raise click.UsageError(
            "--reload needs the native runtime: images do not change by themselves"
        )
    appliance, home = options.appliance, options.home
    view = views.choose()
    try:
        modules = SERVICES if reload else None
        wish = Wish(seconds, games, not no_train, profile, runtime, engine, modules)
        summary = asyncio.run(up(appliance, home, wish, view))
    finally:
        view.close()
    if as_json:
        click.echo(summary.model_dump_json(indent=2))
    else:
        click.echo(
            f"{summary.games_finished:,} games and {summary.training_iterations} training "
            f"iterations in {summary.seconds:g} s; {summary.events_stored:,} events stored, "
            f"{summary.events_lost} lost. State: {summary.home}"
        )
    sys.exit(1 if summary.events_lost or summary.killed else 0)
