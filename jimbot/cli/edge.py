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
        return
    configure_logging("edge")
    home = options.home
    appliance, known = edge.unpack(bundle, home)
    asyncio.run(edge.run(appliance, home, known))
