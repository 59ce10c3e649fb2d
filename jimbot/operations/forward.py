"""Passing connections on between a closed network and this machine, over sockets in a folder.

Inside (`inwards`) a socket `PORT.sock` leads to each of the network's ports; outside (`outwards`)
a port of this machine's loopback leads to such a socket. The other way a port of the network's
loopback leads to a proxy outside (`exits`), which connects to the hosts that it is told, and to no
other. Nothing else goes in or out.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_CHUNK: Final = 64 << 10
_CONNECT_S: Final = 5.0

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def name(port: int) -> str:
    return f"{port}.sock"


@contextmanager
def short(folder: Path) -> Iterator[str]:
    """A folder's path in few enough bytes (a socket's holds 107), however deep it lies.

    Raises:
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


async def inwards(folder: Path, ports: Iterable[int]) -> list[asyncio.Server]:
    """Have each `PORT.sock` in a folder lead to that port of loopback."""
    servers = []
    for port in ports:
        (folder / name(port)).unlink(missing_ok=True)
        with short(folder) as path:
            there = _passing(lambda port=port: asyncio.open_connection("127.0.0.1", port))  # type: ignore[misc]
            servers.append(await asyncio.start_unix_server(there, f"{path}/{name(port)}"))
    return servers


async def onwards(address: str, ports: Iterable[int]) -> list[asyncio.Server]:
    """Have each port of an address lead to the same one of loopback, where a network has one that
    may be reached (NixOS' and Compose's internal ones).

    Raises:
        OSError: a port is taken.
    """
    servers = []
    for port in ports:
        there = _passing(lambda port=port: asyncio.open_connection("127.0.0.1", port))  # type: ignore[misc]
        servers.append(await asyncio.start_server(there, address, port))
    return servers


async def outwards(folder: Path, ports: Iterable[int]) -> list[asyncio.Server]:
    """Have each port of loopback lead to its socket in a folder.

    Raises:
        OSError: a port is taken.
    """

    async def connect(port: int) -> Ends:
        with short(folder) as path:
            return await asyncio.open_unix_connection(f"{path}/{name(port)}")

    servers = []
    for port in ports:
        there = _passing(lambda port=port: connect(port))  # type: ignore[misc]
        servers.append(await asyncio.start_server(there, "127.0.0.1", port))
    return servers


async def exits(folder: Path, port: int, allowed: Collection[str]) -> asyncio.Server:
    """Have the socket `PORT.sock` in a folder be a proxy (HTTP's CONNECT) to `allowed`, each a
    `HOST:PORT`. What is said on the way is theirs and the client's: it is passed on as it is."""

    async def led(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            asked = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _CONNECT_S)
            verb, target, *_ = (*asked.decode("latin-1").split(), "", "")
            if verb != "CONNECT" or target not in allowed:
                writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
            else:
                await _lead(target, reader, writer)
            await writer.drain()
        writer.close()

    (folder / name(port)).unlink(missing_ok=True)
    with short(folder) as path:
        return await asyncio.start_unix_server(led, f"{path}/{name(port)}")


async def _lead(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    host, _, port = target.rpartition(":")
    try:
        there = await asyncio.wait_for(
            asyncio.open_connection(host.strip("[]"), int(port)), _CONNECT_S
        )
    except (OSError, TimeoutError):
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
        return
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
    there[1].close()


def _passing(
    connect: Callable[[], Awaitable[Ends]],
) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            there = await asyncio.wait_for(connect(), _CONNECT_S)
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
            there[1].close()
        writer.close()

    return passed


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
