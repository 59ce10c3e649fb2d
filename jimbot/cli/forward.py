"""`jimbot forward`: leads into a closed network, as the first container of one does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click


@click.command(name="forward")
@click.argument("entrance")
@click.argument("ports", type=click.IntRange(1, 65535), nargs=-1, required=True)
def command(entrance: str, ports: tuple[int, ...]) -> None:
    """Lead to each of PORTS of loopback, until SIGTERM: from PORT.sock in the folder ENTRANCE, or
    from the same port of the address ENTRANCE."""
    from jimbot.operations import forward
    from jimbot.service import stop_event

    async def run() -> None:
        stop = stop_event()
        if "/" in entrance:
            await forward.inwards(Path(entrance), ports)
        else:
            await forward.onwards(entrance, ports)
        await stop.wait()

    asyncio.run(run())
