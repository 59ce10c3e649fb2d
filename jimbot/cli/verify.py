"""`jimbot verify`: whether a deployment went well."""

from __future__ import annotations

import json
import sys

import click

from jimbot.cli import Options
from jimbot.cli.findings import show


@click.command(name="verify")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, as_json: bool) -> None:
    """Go through the checklist after a deployment or a start.

    Exits 0 when all holds, 1 when something does not, 2 when something could not be looked at.
    """
    from jimbot.operations import checklists, doctor

    found = checklists.verify(options.appliance, options.home)
    if as_json:
        click.echo(json.dumps([finding.model_dump() for finding in found], indent=2))
    else:
        show(found)
    sys.exit(doctor.exit_code(found))
