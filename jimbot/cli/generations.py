"""`jimbot generations`: what ran when, and what can run again."""

from __future__ import annotations

import json

import click

from jimbot.cli import Options


@click.command(name="generations")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, as_json: bool) -> None:
    """List the generations, the newest first; `*` marks the current one."""
    from jimbot.operations import generations

    known = generations.every(options.home)
    now = generations.current(options.home)
    pending = generations.journal(options.home)
    if as_json:
        told = {
            "current": now.number if now else None,
            "under_way": pending.to if pending else None,
            "generations": [each.model_dump(mode="json") for each in known],
        }
        click.echo(json.dumps(told, indent=2))
        return
    for each in reversed(known):
        mark = "*" if now and now.number == each.number else " "
        when = each.made.strftime("%Y-%m-%d %H:%M")
        before = [it for it in known if it.number == each.before]
        what = ", ".join(each.differs(before[0] if before else None))
        click.echo(
            f"{mark} {each.number:>4}  {when} UTC  {each.version}  {each.runtime}  "
            f"code {each.code[:8]}  table {each.table[:8]}  ({what})"
        )
    if not known:
        click.echo("there are none yet: `jimbot deploy` makes the first")
    if pending:
        click.echo(
            f"a deployment of generation {pending.to} is under way, or was cut off; the next "
            "`jimbot deploy` or `jimbot up` brings it to an end",
            err=True,
        )
