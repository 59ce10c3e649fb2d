"""`jimbot forward`: leads into a closed network and out of one, from either side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import click

from jimbot.cli import Options


@click.command(name="forward")
@click.argument("entrance")
@click.argument("ports", type=click.IntRange(1, 65535), nargs=-1, required=True)
@click.option(
    "--out",
    type=click.IntRange(1, 65535),
    help="The way out: a port of the closed loopback, which leads to its socket in the folder.",
)
@click.option(
    "--outside",
    is_flag=True,
    help="From the other side: this machine's ports lead to sockets in the folder.",
)
@click.option(
    "--for",
    "services",
    multiple=True,
    metavar="SERVICE",
    help="With --outside: whose servers the way out leads to, and to no other.",
)
@click.pass_obj
def command(
    options: Options,
    entrance: str,
    ports: tuple[int, ...],
    out: int | None,
    outside: bool,
    services: tuple[str, ...],
) -> None:
    """Lead to each of PORTS of loopback, until SIGTERM: from PORT.sock in the folder ENTRANCE, or
    from the same port of the address ENTRANCE."""
    if (out is not None or outside) and "/" not in entrance:
        raise click.UsageError("--out and --outside want a folder; ENTRANCE is an address")
    if services and not (outside and out):
        raise click.UsageError("--for says whom --outside --out leads to")
    from jimbot.operations import forward
    from jimbot.service import stop_event

    folder, allowed = Path(entrance), _servers(options, services)

    async def run() -> None:
        stop = stop_event()
        if outside:
            await forward.outwards(folder, ports)
            if out:
                await forward.exits(folder, out, allowed)
        elif "/" in entrance:
            await forward.inwards(folder, ports)
            await forward.outwards(folder, [out] if out else [])
        else:
            await forward.onwards(entrance, ports)
        await stop.wait()

    asyncio.run(run())


def _servers(options: Options, services: tuple[str, ...]) -> Callable[[], set[str]]:
    """What tells whom the services may reach; the inner side needs none of what it takes."""
    if not services:
        return set
    from jimbot.operations.outside import servers

    table, home = options.appliance, options.home
    for name in services:
        table.service(name)
    return lambda: servers(table, home, services)
