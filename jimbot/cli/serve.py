"""`jimbot serve`: one service in the foreground, as the supervisor and systemd run it."""

from __future__ import annotations

import asyncio
import importlib
import inspect

import click

from jimbot.cli import Options

# service → module whose `run` serves it until SIGTERM.
SERVICES = {
    "mcp": "jimbot.mcp.service",
    "analytics": "jimbot.analytics.service",
    "claude": "jimbot.claude.service",
    "ray-head": "jimbot.training.ray_head",
    "ray-worker": "jimbot.training.ray_worker",
    "trainer": "jimbot.training.service",
}


@click.command(name="serve", help="Run one service in the foreground until SIGTERM.")
@click.argument("service")
@click.option("--profile", envvar="JIMBOT_PROFILE", default="auto", show_default=True)
@click.pass_obj
def command(options: Options, service: str, profile: str) -> None:
    from jimbot.operations import process
    from jimbot.operations.machine import choose_profile
    from jimbot.service import configure_logging

    appliance, home = options.appliance, options.home
    appliance.service(service)
    if service not in SERVICES:
        raise click.UsageError(
            f"{service} is not a program of JimBot's; `jimbot serve` has: {', '.join(SERVICES)}"
        )
    process.die_with_supervisor()
    configure_logging(service)
    home.prepare()
    run = importlib.import_module(SERVICES[service]).run
    arguments = [appliance, home]
    if len(inspect.signature(run).parameters) == 3:
        # Who names one has looked at the machine; a container sees its own share of it alone.
        named = profile in appliance.profiles
        arguments.append(profile if named else choose_profile(appliance, profile))
    asyncio.run(run(*arguments))
