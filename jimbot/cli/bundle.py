"""`jimbot bundle`: what a small machine needs to play, in one file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from jimbot.cli import Options


@click.command(name="bundle")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("jimbot.bundle"),
    show_default=True,
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, out: Path, as_json: bool) -> None:
    """Write the learned policy, Claude's remembered answers and the table to one file.

    The other machine plays with it, offline: jimbot edge FILE. Exits 2 when there is no policy
    that can be used, or the file cannot be written; what was there before stays.
    """
    from jimbot.operations import bundle

    done = bundle.make(options.appliance, options.home, options.table, out)
    if as_json:
        click.echo(json.dumps(done._asdict() | {"file": str(done.file)}, indent=2))
        return
    click.echo(
        f"{done.file}: {done.bytes / 1000:.0f} KB, policy {done.policy}, {done.strategies}"
        " remembered answers. Play with it: jimbot edge " + str(done.file)
    )
