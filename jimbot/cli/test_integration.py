"""`jimbot test-integration`: a real game through every service, and the data at the end."""

from __future__ import annotations

import sys

import click

from jimbot.cli import Options


@click.command(name="test-integration")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, as_json: bool) -> None:
    """Play a game through every service of the running appliance and check what became of it.

    Where none runs, one is started in a scratch home for it. The game stays in the log. Exits 1
    when something is not as it must be, 2 when it could not be tried.
    """
    from jimbot.operations import integration
    from jimbot.operations.audited import audited

    with audited(options.home, "test-integration") as after:
        tested = integration.run(
            options.appliance, options.home, options.table, lambda line: click.echo(line, err=True)
        )
        after |= {"result": "ok" if tested.ok else "failed", "game": tested.game_id}
    if as_json:
        click.echo(tested.model_dump_json(indent=2))
    else:
        good = sum(check.ok for check in tested.checks)
        where = "a scratch appliance" if tested.scratch else "the running appliance"
        click.echo(f"{good} of {len(tested.checks)} checks hold on {where}, {tested.seconds:g} s")
    sys.exit(0 if tested.ok else 1)
