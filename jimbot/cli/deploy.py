"""`jimbot deploy`: a new generation takes over, or nothing has happened."""

from __future__ import annotations

from typing import Any

import click

from jimbot.cli import Options


@click.command(name="deploy")
@click.option("--dry-run", is_flag=True, help="Tell what would be done.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, dry_run: bool, as_json: bool) -> None:
    """Make a generation of the installed package and the table, and roll the services to it.

    What trains finishes its games first; then one service after the other is restarted, and must
    be well before the next. When one is not, all go back by themselves. Where nothing runs, the
    next `jimbot up` starts the new generation.

    Exits 0 when it was done (or there was nothing to do), 1 when it was taken back, 2 when it
    could not begin.
    """
    from jimbot.operations import deploy
    from jimbot.operations.audited import audited

    if dry_run:
        tell(deploy.plan(options.home, options.table), as_json, done=False)
        return
    with audited(options.home, "deploy", current=current(options)) as after:
        plan = deploy.deploy(options.home, options.table, lambda line: click.echo(line, err=True))
        after |= {"generation": plan.generation.number, "changes": plan.changes}
        after |= {"rolled": plan.rolls, "result": "ok" if plan.changes else "nothing to do"}
    tell(plan, as_json, done=True)


def current(options: Options) -> int | None:
    """The number of the generation that is current."""
    from jimbot.operations import generations

    now = generations.current(options.home)
    return now.number if now else None


def tell(plan: Any, as_json: bool, *, done: bool) -> None:
    """Say what a plan is, or was."""
    if as_json:
        click.echo(plan.model_dump_json(indent=2))
        return
    number = plan.generation.number
    if not plan.changes:
        click.echo("nothing to do: the current generation is just this")
        return
    click.echo(f"generation {number}: {', '.join(plan.changes)}")
    if not plan.running:
        verb = "is" if done else "would be"
        click.echo(f"nothing runs: it {verb} what the next `jimbot up` starts; no gate was tried")
    elif done:
        click.echo(f"rolled {', '.join(plan.rolls)} in {plan.seconds:g} s")
    else:
        if plan.drains:
            click.echo(f"would let finish: {', '.join(plan.drains)}")
        click.echo(f"would roll, one by one: {', '.join(plan.rolls)}")
    if plan.removed:
        click.echo(f"removed old generations: {', '.join(str(it) for it in plan.removed)}")
