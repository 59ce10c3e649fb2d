"""`jimbot config`: the appliance table, checked and shown."""

from __future__ import annotations

import click

from jimbot.cli import Options


@click.group(name="config", help="Check and show the appliance table.")
def command() -> None:
    pass


@command.command()
@click.pass_obj
def check(options: Options) -> None:
    """Prove that the table adds up; exit 2 and say where when it does not."""
    table = options.appliance
    click.echo(f"the table holds: {len(table.services)} services in {len(table.groups)} groups")


@command.command()
@click.pass_obj
def show(options: Options) -> None:
    """Print the table as JSON."""
    click.echo(options.appliance.model_dump_json(indent=2))
