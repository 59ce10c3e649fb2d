"""`jimbot claude`: the gateway's keys."""

from __future__ import annotations

import json
import sys
from typing import TextIO

import click

from jimbot.cli import Options


@click.group(name="claude", help="The gateway to Claude: its keys.")
def command() -> None:
    pass


@command.command("rotate-key")
@click.option(
    "--from-file", "source", type=click.File("r"), help="Read the key here; - is standard input."
)
@click.option("--retire", is_flag=True, help="Remove the older keys of JimBot's own key folder.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def rotate_key(options: Options, source: TextIO | None, retire: bool, as_json: bool) -> None:
    """Put in a new API key; a running gateway uses it at once, without a restart.

    The key is asked for without echo, or read from a file; it is never an argument. Older keys
    stay, to be tried when the new one is refused, unless --retire removes them.
    """
    from jimbot.claude import rotation
    from jimbot.operations.audited import audited

    if source is not None:
        secret = source.read().strip()
    elif sys.stdin.isatty():
        secret = click.prompt("API key", hide_input=True, err=True).strip()
    else:
        raise click.UsageError("give the key with --from-file FILE, or - for standard input")
    with audited(options.home, "claude rotate-key", retire=retire) as after:
        done = rotation.rotate(options.appliance, options.home, secret, retire=retire)
        after.update(file=str(done.file), retired=list(done.retired))
    if as_json:
        click.echo(json.dumps(done._asdict() | {"file": str(done.file)}))
        return
    click.echo(f"The key is in {done.file}.")
    for name in done.retired:
        click.echo(f"Removed {name}.")
    if done.running is None:
        click.echo("The gateway does not run; it will use the key when it starts.")
    else:
        click.echo(f"The gateway uses, in this order: {', '.join(done.running)}.")
