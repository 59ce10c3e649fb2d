"""The way out of a closed network: to whom it is told, as it is said, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from jimbot.appliance import load
from jimbot.operations import forward
from jimbot.operations.ports import free as free_ports

Ask = Callable[[bytes], Awaitable[bytes]]


def with_way_out(
    tmp_path: Path, allowed: Callable[[int], str], then: Callable[[Ask, int], Awaitable[None]]
) -> None:
    """A server that echoes in capitals, and a proxy in front of it as the inside sees it."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data.upper())
        writer.close()

    async def main() -> None:
        (inside,) = free_ports(1)
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = int(server.sockets[0].getsockname()[1])
        exit_ = await forward.exits(tmp_path, inside, {allowed(port)})
        (loopback,) = await forward.outwards(tmp_path, [inside])

        async def ask(said: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", inside)
            writer.write(said)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            return answer

        async with server, exit_, loopback:
            await then(ask, port)

    asyncio.run(main())


def test_what_is_allowed_is_reached_and_heard_as_it_speaks(tmp_path: Path) -> None:
    async def then(ask: Ask, port: int) -> None:
        answer = await ask(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: x\r\n\r\nhello" % port)
        head, _, said = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert said == b"HELLO"

    with_way_out(tmp_path, lambda port: f"127.0.0.1:{port}", then)


@pytest.mark.parametrize(
    "asked", ["CONNECT 127.0.0.1:%d HTTP/1.1", "GET http://127.0.0.1:%d/ HTTP/1.1", "CONNECT"]
)
def test_nobody_else_is_reached(tmp_path: Path, asked: str) -> None:
    async def then(ask: Ask, port: int) -> None:
        said = asked % port if "%" in asked else asked
        assert (await ask(f"{said}\r\n\r\nhello".encode())).startswith(b"HTTP/1.1 403")

    with_way_out(tmp_path, lambda port: f"localhost:{port}", then)


def test_one_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    (nobody,) = free_ports(1)

    async def then(ask: Ask, port: int) -> None:
        answer = await ask(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % nobody)
        assert answer.startswith(b"HTTP/1.1 502")

    with_way_out(tmp_path, lambda port: f"127.0.0.1:{nobody}", then)


def test_it_leads_to_claudes_servers_by_the_table() -> None:
    assert load().claude.servers == {"api.anthropic.com:443"}
