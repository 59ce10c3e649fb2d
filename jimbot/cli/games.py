"""`jimbot games`: the games in the log."""

from __future__ import annotations

import click


@click.group(name="games", help="List, show and replay the games in the log.")
def command() -> None:
    pass
