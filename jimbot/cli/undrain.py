"""`jimbot undrain`: takes drained services back."""

from __future__ import annotations

import click

from jimbot.cli import Options
from jimbot.cli.drain import run


@click.command(name="undrain")
@click.argument("services", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Tell what would be done.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, services: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Start drained SERVICES again (all that are drained, if none is named), and try those at
    once that are in a crash loop. Exits 2 when nothing runs."""
    run(options, "undrain", services, dry_run, as_json)
