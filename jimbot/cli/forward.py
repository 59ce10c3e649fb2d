"""`jimbot forward`: passes ports on to loopback; what containers share their network with."""

from __future__ import annotations

import asyncio

import click


@click.command(name="forward")
@click.argument("address")
@click.argument("ports", type=click.IntRange(1, 65535), nargs=-1, required=True)
def command(address: str, ports: tuple[int, ...]) -> None:
    """Pass PORTS of ADDRESS on to the same ones of 127.0.0.1, until SIGTERM."""
    from jimbot.operations import forward

    asyncio.run(forward.run(address, list(ports)))
