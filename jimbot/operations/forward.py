"""Passing connections on: from an address of this machine (or container) to its loopback."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

from jimbot.service import stop_event

_CHUNK = 64 << 10
_CONNECT_S = 5.0


async def run(address: str, ports: list[int]) -> None:
    """Pass each of `ports` of `address` on to the same one of loopback, until SIGTERM.

    Raises:
        OSError: one of them is taken.
    """
    stop = stop_event()
    async with AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(await _listen(address, port))
        await stop.wait()


async def _listen(address: str, port: int) -> asyncio.Server:
    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            there = await asyncio.wait_for(
                asyncio.open_connection("127.0.0.1", port, limit=_CHUNK), _CONNECT_S
            )
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        writer.close()

    return await asyncio.start_server(passed, address, port, limit=_CHUNK)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until the source ends; then the target is told so, and may still answer."""
    try:
        while data := await source.read(_CHUNK):
            target.write(data)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
    except OSError:
        target.close()
