"""`jimbot rollback`: back to a generation that ran before."""

from __future__ import annotations

import click

from jimbot.cli import Options
from jimbot.cli.deploy import current, tell


@click.command(name="rollback")
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--dry-run", is_flag=True, help="Tell what would be done.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, number: int | None, dry_run: bool, as_json: bool) -> None:
    """Roll the services back to generation NUMBER, or to the one before the current one.

    Refused when a store has been migrated beyond what that generation reads. Exits as `jimbot
    deploy` does.
    """
    from jimbot.operations import deploy
    from jimbot.operations.audited import audited

    def say(line: str) -> None:
        click.echo(line, err=True)

    if dry_run:
        plan = deploy.rollback(options.home, number, say, dry_run=True)
        tell(plan, as_json, done=False)
        return
    with audited(options.home, "rollback", current=current(options), wanted=number) as after:
        plan = deploy.rollback(options.home, number, say)
        after |= {"generation": plan.generation.number, "rolled": plan.rolls}
    tell(plan, as_json, done=True)
