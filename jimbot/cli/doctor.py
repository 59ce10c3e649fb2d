"""`jimbot doctor`: what is wrong, and the command that mends it."""

from __future__ import annotations

import json
import sys

import click

from jimbot.cli import Options
from jimbot.cli.findings import show


@click.command(name="doctor")
@click.argument("checks", nargs=-1)
@click.option("--fix", is_flag=True, help="Run the commands that mend.")
@click.option("--yes", is_flag=True, help="With --fix: also those that stop something.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, checks: tuple[str, ...], fix: bool, yes: bool, as_json: bool) -> None:
    """Go through the troubleshooting guide, or through the CHECKS named.

    Exits 0 when nothing is wrong, 1 when something is, 2 when something could not be looked at.
    """
    from jimbot.operations import doctor
    from jimbot.operations.audited import audited

    unknown = set(checks) - {check.name for check in doctor.CHECKS}
    if unknown:
        names = ", ".join(check.name for check in doctor.CHECKS)
        raise click.UsageError(f"no check {', '.join(sorted(unknown))}; there are: {names}")
    appliance, home = options.appliance, options.home
    findings = doctor.examine(appliance, home, checks)
    done: dict[str, int] = {}
    if fix:
        with audited(home, "doctor --fix", disruptive=yes) as after:
            done = doctor.mend(
                findings, home, disruptive=yes, say=lambda line: click.echo(line, err=True)
            )
            after |= {"ran": done}
        if done:
            findings = doctor.examine(appliance, home, checks, remember=False)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "findings": [finding.model_dump() for finding in findings],
                    "ran": done,
                    "exit_code": doctor.exit_code(findings),
                },
                indent=2,
            )
        )
    else:
        show(findings)
    sys.exit(doctor.exit_code(findings))
