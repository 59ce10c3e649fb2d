"""The way out of a closed network: to whom it is told, as it is said, and to nobody else."""

from __future__ import annotations

import asyncio
import gc
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
        exit_ = await forward.exits(tmp_path, inside, lambda: {allowed(port)})
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
    "asked",
    [
        "CONNECT 127.0.0.1:%d HTTP/1.1",
        "GET http://127.0.0.1:%d/ HTTP/1.1",
        "GET http://localhost@127.0.0.1:%d/ HTTP/1.1",
        "GET https://localhost:%d/ HTTP/1.1",
        "GET http://localhost:99999/ HTTP/1.1",
        "GET / HTTP/1.1",
        "CONNECT",
        "",
    ],
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


def test_what_is_asked_by_the_whole_address_arrives_without_it(tmp_path: Path) -> None:
    async def then(ask: Ask, port: int) -> None:
        answer = await ask(
            b"POST http://127.0.0.1:%d/a%%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\nhello" % port
        )
        assert answer == b"POST /A%20B?C=D HTTP/1.1\r\nHOST: X\r\n\r\nHELLO"

    with_way_out(tmp_path, lambda port: f"127.0.0.1:{port}", then)


def test_a_late_answer_finds_who_has_said_all(tmp_path: Path) -> None:
    held: list[object] = []  # of the server's own; what is between is to keep itself

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(asyncio.current_task())
        await reader.read()
        for _ in range(3):
            await asyncio.sleep(0.02)
            gc.collect()
        writer.write(b"here")
        writer.close()

    async def main() -> None:
        inside, port = free_ports(2)
        server = await asyncio.start_server(late, "127.0.0.1", port)
        exit_ = await forward.exits(tmp_path, inside, lambda: {f"127.0.0.1:{port}"})
        (loopback,) = await forward.outwards(tmp_path, [inside])
        async with server, exit_, loopback:
            reader, writer = await asyncio.open_connection("127.0.0.1", inside)
            writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port)
            writer.write_eof()
            answer = await asyncio.wait_for(reader.read(), 10)
            assert answer.endswith(b"\r\n\r\nhere")
            writer.close()

    asyncio.run(main())


def test_who_is_allowed_may_change_meanwhile(tmp_path: Path) -> None:
    now: set[str] = set()

    async def then(ask: Ask, port: int) -> None:
        asked = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port
        assert (await ask(asked)).startswith(b"HTTP/1.1 403")
        now.add(f"127.0.0.1:{port}")
        assert (await ask(asked)).startswith(b"HTTP/1.1 200")

    def allowed(port: int) -> str:
        return next(iter(now), "nobody:1")

    with_way_out(tmp_path, allowed, then)


def test_it_leads_to_claudes_servers_by_the_table() -> None:
    assert load().claude.servers == {"api.anthropic.com:443"}
