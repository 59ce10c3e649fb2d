"""`jimbot drill`: whether a backup would bring the home back."""

from __future__ import annotations

import sys

import click

from jimbot.cli import Options
from jimbot.cli.backup import WAIT
from jimbot.cli.health import MARKS


@click.command(name="drill")
@click.option("--snapshot", default="latest", show_default=True, help="See: jimbot backup list.")
@WAIT
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, snapshot: str, wait_s: float, as_json: bool) -> None:
    """Restore a backup into a scratch home, start it on ports of its own, and compare.

    Exits 0 when all came back, 1 when something did not, 2 when something could not be looked at.
    """
    from jimbot.operations.audited import audited
    from jimbot.operations.drill import drill

    with audited(options.home, "drill", snapshot=snapshot) as after:
        report = drill(
            options.appliance,
            options.home,
            snapshot=snapshot,
            wait_s=wait_s,
            say=lambda line: click.echo(line, err=True),
        )
        after |= {
            "result": {0: "ok", 1: "failed", 2: "not checked"}[report.exit_code],
            "snapshot": report.snapshot,
        }
    if as_json:
        click.echo(report.model_dump_json(indent=2))
    else:
        for check in report.checks:
            mark = MARKS[{True: "ok", False: "fail", None: "unknown"}[check.ok]]
            found = "" if check.found == check.expected else f"; found {check.found}"
            click.echo(f"{mark}  {check.name:<18}  {check.expected}{found}")
        boot = "not started" if report.boot_s is None else f"healthy after {report.boot_s:g} s"
        click.echo(
            f"backup {report.snapshot}, {report.age_s / 3600:.1f} h old: "
            f"restored in {report.restore_s:g} s, {boot}"
        )
    sys.exit(report.exit_code)
