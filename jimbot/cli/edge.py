"""`jimbot edge`: play from a bundle, with the core alone and offline."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from jimbot.cli import Options


@click.command(name="edge")
@click.argument("bundle", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Only tell whether the bundle can be used here.")
@click.pass_obj
def command(options: Options, bundle: Path, check: bool) -> None:
    """Serve decisions over the WebSocket from BUNDLE, which `jimbot bundle` has written.

    Needs no extras, no network and no other service; events go into the home's own log. Runs
    until SIGTERM or SIGINT. Exits 2 when the bundle is damaged, newer than this JimBot, or made for
    another layout, and changes nothing then.
    """
    from jimbot.mcp import edge
    from jimbot.service import configure_logging

    if check:
        manifest = edge.prove(bundle)
        click.echo(f"{bundle}: whole, made by JimBot {manifest.jimbot}")
        _tell_speed()
        return
    configure_logging("edge")
    _tell_speed()
    home = options.home
    appliance, known = edge.unpack(bundle, home)
    asyncio.run(edge.run(appliance, home, known))


def _tell_speed() -> None:
    """Installed from a wheel, the game and the rows are plain Python."""
    from jimbot.game import COMPILED as GAME
    from jimbot.policy import COMPILED as ROWS

    if not (GAME and ROWS):
        click.echo(
            "the game is not compiled here, so decisions take about ten times as long; with a C"
            " compiler: pip install mypy setuptools && python -m jimbot.game._build",
            err=True,
        )
