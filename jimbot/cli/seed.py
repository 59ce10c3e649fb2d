"""`jimbot seed`: what a seed holds, ante by ante."""

from __future__ import annotations

import json

import click


@click.command(name="seed")
@click.argument("seed")
@click.option("--deck", default="Red", show_default=True)
@click.option("--stake", default="White", show_default=True)
@click.option("--antes", type=click.IntRange(1, 39), default=8, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON list on stdout, an entry an ante.")
def command(seed: str, deck: str, stake: str, antes: int, as_json: bool) -> None:
    """Tell what SEED deals to a run that buys nothing: bosses, tags, vouchers, shops and packs."""
    from jimbot.game import analyse

    found = analyse(seed.upper(), deck, stake, antes)
    if as_json:
        click.echo(json.dumps(found))
        return
    from jimbot.terminal.seed import lines

    for line in lines(found):
        click.echo(line)
