"""`jimbot preflight`: whether a deployment may begin."""

from __future__ import annotations

import json
import sys

import click

from jimbot.cli import Options
from jimbot.cli.findings import show


@click.command(name="preflight")
@click.option(
    "--environment",
    type=click.Choice(["development", "staging", "production"]),
    envvar="JIMBOT_ENVIRONMENT",
    help="Whose demands hold.  [env: JIMBOT_ENVIRONMENT; default: the table's]",
)
@click.option("--no-train", is_flag=True, help="Leave Ray and the trainer out.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, environment: str | None, no_train: bool, as_json: bool) -> None:
    """Go through the checklist before a deployment or a start.

    Exits 0 when all holds, 1 when something does not, 2 when something could not be looked at.
    """
    from jimbot.operations import checklists, doctor

    found = checklists.preflight(
        options.appliance, options.home, environment=environment, train=not no_train
    )
    if as_json:
        click.echo(json.dumps([finding.model_dump() for finding in found], indent=2))
    else:
        show(found)
    sys.exit(doctor.exit_code(found))
