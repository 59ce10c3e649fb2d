"""`jimbot init-db`: schemas and game knowledge for the three stores."""

from __future__ import annotations

import json

import click

from jimbot.cli import Options


@click.command(name="init-db")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, as_json: bool) -> None:
    """Create the schemas and the game knowledge that are not there yet; change nothing else."""
    from jimbot.operations import stores
    from jimbot.operations.audited import audited

    with audited(options.home, "init-db") as after:
        done = stores.initialise(options.home)
        after.update(done)
    if as_json:
        click.echo(json.dumps(done))
    else:
        for store, lines in done.items():
            for line in lines:
                click.echo(f"{store}: {line}")
