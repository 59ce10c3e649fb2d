"""`jimbot forward`: leads into a closed network, as the first container of one does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click


@click.command(name="forward")
@click.argument("entrance")
@click.argument("ports", type=click.IntRange(1, 65535), nargs=-1, required=True)
@click.option(
    "--out",
    type=click.IntRange(1, 65535),
    help="A port of loopback that leads to its socket in the folder: the way out.",
)
def command(entrance: str, ports: tuple[int, ...], out: int | None) -> None:
    """Lead to each of PORTS of loopback, until SIGTERM: from PORT.sock in the folder ENTRANCE, or
    from the same port of the address ENTRANCE."""
    if out is not None and "/" not in entrance:
        raise click.UsageError("--out leads into a folder; ENTRANCE is an address")
    from jimbot.operations import forward
    from jimbot.service import stop_event

    async def run() -> None:
        stop = stop_event()
        if "/" in entrance:
            await forward.inwards(Path(entrance), ports)
            await forward.outwards(Path(entrance), [out] if out else [])
        else:
            await forward.onwards(entrance, ports)
        await stop.wait()

    asyncio.run(run())
