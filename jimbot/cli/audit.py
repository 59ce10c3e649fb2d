"""`jimbot audit`: what was done to the appliance, by whom, and whether that record is whole."""

from __future__ import annotations

import json
from collections import deque

import click

from jimbot.cli import Options


@click.group(name="audit", help="What was done to the appliance, and by whom.")
def command() -> None:
    pass


@command.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--action", help="Only actions that begin with this.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a record on stdout.")
@click.pass_obj
def list_(options: Options, limit: int, action: str | None, as_json: bool) -> None:
    """Show the last records, oldest first."""
    from jimbot.security import audit

    found = (
        entry
        for entry in audit.entries(options.home)
        if not action or str(entry.get("action", "")).startswith(action)
    )
    for entry in deque(found, maxlen=limit):
        if as_json:
            click.echo(json.dumps(entry))
            continue
        click.echo(
            "{time}  {action}  {result}  by {subject} from {source}".format(
                **{key: _line(entry.get(key)) for key in _SHOWN}
            )
        )


@command.command()
@click.option("--head", help="A head that this once printed; the log must still go through it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def verify(options: Options, head: str | None, as_json: bool) -> None:
    """Prove that no record was changed, removed or put in; exit 1 and say where when one was.

    Keep the head that this prints elsewhere: only with it does somebody show who rewrites all.
    """
    from jimbot.security import audit

    found = audit.verify(options.home, audit.parse_head(head) if head else None)
    if as_json:
        told = {"ok": found.ok, "records": found.records, "head": str(found.head)}
        click.echo(json.dumps(told | {"problems": list(found.problems)}))
    elif found.ok:
        click.echo(f"{found.records} records, all in order. Head: {found.head}")
    else:
        for problem in found.problems:
            click.echo(f"jimbot: {problem}", err=True)
        click.echo("jimbot: the audit log was tampered with or damaged", err=True)
    if not found.ok:
        raise SystemExit(1)


_SHOWN = ("time", "action", "result", "subject", "source")


def _line(value: object) -> str:
    return "".join(c if c.isprintable() else "?" for c in str(value))
