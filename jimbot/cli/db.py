"""`jimbot db`: how the stores are, their schemas, and making one again from the event log."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from jimbot.cli import Options

STORES = ("events", "metrics", "knowledge")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group()
def command() -> None:
    """The three stores: events (the truth), metrics and knowledge (made from it)."""


@command.command()
@click.argument("store", type=click.Choice(STORES), required=False)
@_json
@click.pass_obj
def status(options: Options, store: Any, as_json: bool) -> None:
    """Tell how the stores are. Exits with 1 if one needs somebody."""
    from jimbot.operations import stores

    found = stores.status(options.home, (store,) if store else stores.NAMES)
    if as_json:
        click.echo(json.dumps({each.name: each.model_dump() for each in found}))
    else:
        for each in found:
            click.echo(_line(each))
    if any(each.state not in ("ok", "in use") for each in found):
        sys.exit(1)


@command.command()
@click.argument("store", type=click.Choice(STORES))
@_json
@click.pass_obj
def migrate(options: Options, store: Any, as_json: bool) -> None:
    """Bring a store's schema up to date; what is in it stays."""
    from jimbot.operations import stores
    from jimbot.operations.audited import audited

    with audited(options.home, "db migrate", store=store) as after:
        line = after["done"] = stores.migrate(options.home, store)
    click.echo(json.dumps({"done": line}) if as_json else line)


@command.command()
@click.argument("store", type=click.Choice(STORES))
@click.option("--set-aside", is_flag=True, help="Move a store that cannot be opened aside first.")
@_json
@click.pass_obj
def rebuild(options: Options, store: Any, set_aside: bool, as_json: bool) -> None:
    """Empty a store and fold the whole event log into it again."""
    from jimbot.operations import stores
    from jimbot.operations.audited import audited

    def progress(done: int, of: int) -> None:
        click.echo(f"{store}: {done:,} of {of:,}", err=True)

    with audited(options.home, "db rebuild", store=store, set_aside=set_aside) as after:
        line = stores.rebuild(options.home, store, set_aside=set_aside, progress=progress)
        after["done"] = line
    click.echo(json.dumps({"done": line}) if as_json else line)


@command.command()
@_json
@click.pass_obj
def retain(options: Options, as_json: bool) -> None:
    """Forget what the table's [retention] no longer keeps."""
    from jimbot.operations import stores
    from jimbot.operations.audited import audited

    with audited(options.home, "db retain") as after:
        removed = stores.retain(options.home, options.appliance.retention)
        after.update(removed)
    if as_json:
        click.echo(json.dumps(removed))
    else:
        for store, rows in removed.items():
            click.echo(f"{store}: {rows:,} rows forgotten")


def _line(each: Any) -> str:
    parts = [f"{each.name}: {each.state}"]
    if each.position is not None:
        parts.append(f"position {each.position:,}")
    if each.engine == "server":
        parts.append(each.where)
    if each.waiting:
        parts.append(f"{each.waiting:,} points wait to be sent")
    if each.behind:
        parts.append(f"{each.behind:,} behind")
    if each.schema_version is not None:
        parts.append(f"schema {each.schema_version} of {each.schema_wanted}")
    if each.bytes is not None:
        parts.append(f"{each.bytes / (1 << 20):,.1f} MiB")
    text = ", ".join(parts)
    if each.problem:
        text += f"; {each.problem}"
    return f"{text}. {each.hint}" if each.hint else text
