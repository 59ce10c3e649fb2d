"""`jimbot game`: Balatro for other people's programs."""

from __future__ import annotations

import asyncio

import click


@click.group(name="game", help="Serve the simulated game to programs written for BalatroBot.")
def command() -> None:
    pass


@command.command()
@click.option("--port", type=click.IntRange(1, 65535), default=12346, show_default=True)
@click.option("--games", type=click.IntRange(1, 512), default=1, show_default=True)
def serve(port: int, games: int) -> None:
    """Serve games over BalatroBot's interface on loopback, one a port from --port on.

    Runs until SIGTERM or Ctrl-C.
    """
    from jimbot.mcp.balatrobot.server import serve_games
    from jimbot.service import stop_event

    if port + games - 1 > 65535:
        raise click.UsageError(f"{games} games from port {port} on need ports above 65535")

    async def run() -> None:
        ports = f"port {port}" if games == 1 else f"ports {port} to {port + games - 1}"
        line = f"{games} game(s) on 127.0.0.1, {ports}; Ctrl-C stops"
        await serve_games(port, games, stop_event(), lambda: click.echo(line, err=True))

    asyncio.run(run())
