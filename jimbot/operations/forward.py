"""Passing connections on between a closed network and this machine, over sockets in a folder.

Inside (`inwards`) a socket `PORT.sock` leads to each of the network's ports; outside (`outwards`)
a port of this machine's loopback leads to such a socket. The other way a port of the network's
loopback leads to a proxy outside (`exits`), which connects to the servers that it is told, and to
no other. Nothing else goes in or out.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_CHUNK: Final = 64 << 10
_CONNECT_S: Final = 5.0

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_open: set[asyncio.Task[None] | None] = set()


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
    may be reached (Compose's).

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


async def exits(folder: Path, port: int, allowed: Callable[[], Collection[str]]) -> asyncio.Server:
    """Have the socket `PORT.sock` in a folder be an HTTP proxy to the servers that `allowed` names
    when it is asked, each a `HOST:PORT`: by CONNECT, and for `http://` by the whole address.

    A connection stays with the server that its first request named. What is said on the way is the
    two ends': it is passed on as it is.
    """

    async def led(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            asked = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _CONNECT_S)
            server, first = _wanted(asked)
            if server not in allowed():
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            else:
                await _lead(server, first, reader, writer)
            await writer.drain()
        writer.close()

    (folder / name(port)).unlink(missing_ok=True)
    with short(folder) as path:
        return await asyncio.start_unix_server(_held(led), f"{path}/{name(port)}")


def _wanted(asked: bytes) -> tuple[str, bytes]:
    """The `HOST:PORT` that a request to a proxy is for, and what that server is told; nobody's
    where it is no such request."""
    line, _, rest = asked.partition(b"\r\n")
    verb, target, version = (*line.decode("latin-1").split(" "), "", "", "")[:3]
    if verb == "CONNECT":
        host, _, port = target.rpartition(":")
        return f"{host.strip('[]')}:{port}", b""
    try:
        url = urlsplit(target)
        server = f"{url.hostname}:{url.port or 80}"
    except ValueError:
        return "", b""
    if url.scheme != "http":
        return "", b""
    inside = urlunsplit(("", "", url.path or "/", url.query, ""))
    return server, f"{verb} {inside} {version}\r\n".encode("latin-1") + rest


async def _lead(
    server: str, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Pass on to a server what it is told first, then all that is said, both ways."""
    host, _, port = server.rpartition(":")
    try:
        there = await asyncio.wait_for(asyncio.open_connection(host, int(port)), _CONNECT_S)
    except (OSError, TimeoutError):
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        return
    if first:
        there[1].write(first)
    else:
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
    there[1].close()


def _held(serve: Serve) -> Serve:
    """The same, and remembered: of a connection whose client has said all it has to say, asyncio
    keeps nothing, so that it would be collected as garbage while the answer is on its way."""

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        _open.add(task)
        try:
            await serve(reader, writer)
        finally:
            _open.discard(task)

    return held


def _passing(connect: Callable[[], Awaitable[Ends]]) -> Serve:
    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            there = await asyncio.wait_for(connect(), _CONNECT_S)
            await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
            there[1].close()
        writer.close()

    return _held(passed)


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
