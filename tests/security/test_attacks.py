"""Bombs, and clients that are slow on purpose; afterwards everything is as small as before."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
import zstandard
from fastapi import FastAPI, Request

from jimbot.events import packing
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.mcp.protocol import encode_event
from jimbot.security import patience
from jimbot.service import Health, http_app, serving
from tests.mcp.conftest import Running, dial, hear, heartbeat, log, serve, server  # noqa: F401

MB = 1 << 20


@contextmanager
def http(app: FastAPI | None = None) -> Iterator[int]:
    """A service's HTTP as it really is, in a thread; its port."""
    import threading

    ready = threading.Event()
    port, loop, stop = 0, None, None

    async def main() -> None:
        nonlocal port, loop, stop
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with serving(app or http_app("test", lambda: Health(status="ok")), 0) as port:
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(20)
    try:
        yield port
    finally:
        assert loop is not None
        assert stop is not None
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)


def healthy(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False, timeout=20).is_success


def until_closed(connection: socket.socket, timeout_s: float = 20) -> bytes:
    """What comes until the other side closes."""
    connection.settimeout(timeout_s)
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionError:
        pass
    return data


@pytest.mark.parametrize(
    "start",
    [b"", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"POST /health HTTP/1.1\r\nHo"],
    ids=["silence", "half a head", "half a line"],
)
def test_a_request_that_does_not_come_ends(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", 0.3)
    with http() as port, socket.create_connection(("127.0.0.1", port), 20) as slow:
        slow.sendall(start)
        assert b" 408 " in until_closed(slow)
        assert healthy(port)


def test_a_body_that_drips_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "REQUEST_S", 0.5)
    app = http_app("test", lambda: Health(status="ok"))

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    with http(app) as port, socket.create_connection(("127.0.0.1", port), 20) as slow:
        slow.sendall(b"POST /body HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n")
        ended = False
        for _ in range(100):
            try:
                slow.sendall(b"x")
            except ConnectionError:
                ended = True
                break
            time.sleep(0.05)
        assert ended
        assert healthy(port)


def test_a_head_without_end_ends() -> None:
    with http() as port, socket.create_connection(("127.0.0.1", port), 20) as endless:
        endless.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        refused = False
        for number in range(10_000):
            try:
                endless.sendall(b"X-%d: " % number + b"y" * 1000 + b"\r\n")
            except ConnectionError:
                refused = True
                break
        assert refused
        assert number < 5000
        assert healthy(port)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_without_end_is_refused_and_not_kept(chunked: bool) -> None:
    app = http_app("test", lambda: Health(status="ok"))

    @app.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    before = psutil.Process().memory_info().rss
    with http(app) as port, socket.create_connection(("127.0.0.1", port), 20) as endless:
        length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 1000000000"
        endless.sendall(b"POST /body HTTP/1.1\r\nHost: 127.0.0.1\r\n" + length + b"\r\n\r\n")
        piece = b"x" * 65536
        sent, refused = 0, False
        while sent < 64 * MB:
            try:
                endless.sendall(b"10000\r\n" + piece + b"\r\n" if chunked else piece)
            except ConnectionError:
                refused = True
                break
            sent += len(piece)
        assert refused
        assert psutil.Process().memory_info().rss - before < 60 * MB
        assert healthy(port)


def test_more_connections_than_there_is_room_for_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "CONNECTIONS", 20)
    descriptors = psutil.Process().num_fds()
    with http() as port:
        many = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(40)]
        dropped = 0
        for one in many[20:]:
            dropped += until_closed(one, 5) == b""
        assert dropped >= 18
        for one in many:
            one.close()
        deadline = time.monotonic() + 20
        while True:
            try:
                assert healthy(port)
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    assert psutil.Process().num_fds() <= descriptors + 2


def upgrade(port: int, extensions: str = "") -> socket.socket:
    """A WebSocket by hand, to say what no library would."""
    connection = socket.create_connection(("127.0.0.1", port), 20)
    key = base64.b64encode(os.urandom(16)).decode()
    offered = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
    connection.sendall(
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{offered}\r\n".encode()
    )
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1024)
    assert answer.startswith(b"HTTP/1.1 101")
    assert b"permessage-deflate" not in answer.lower()
    return connection


def frame(data: bytes, first: int) -> bytes:
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
    if len(data) < 126:
        size = bytes([0x80 | len(data)])
    elif len(data) < 65536:
        size = bytes([0x80 | 126]) + struct.pack("!H", len(data))
    else:
        size = bytes([0x80 | 127]) + struct.pack("!Q", len(data))
    return bytes([first]) + size + mask + masked


def close_code(data: bytes) -> int:
    assert data[0] == 0x88
    return int(struct.unpack("!H", data[2:4])[0])


def test_a_deflate_bomb_is_not_unpacked(server: Running) -> None:  # noqa: F811
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(b"\0" * (64 * MB)) + packer.flush(zlib.Z_SYNC_FLUSH)
    before = psutil.Process().memory_info().rss
    with upgrade(server.server.port, "permessage-deflate") as attacker:
        attacker.sendall(frame(bomb, 0xC1))  # a text that says it is compressed (RSV1)
        assert close_code(until_closed(attacker)) == 1002
    assert psutil.Process().memory_info().rss - before < 32 * MB
    assert_serves(server)


@pytest.mark.parametrize("fragments", [False, True])
def test_a_frame_that_announces_too_much_ends(
    server: Running,  # noqa: F811
    fragments: bool,
) -> None:
    with upgrade(server.server.port) as attacker:
        if fragments:
            attacker.sendall(frame(b"x" * 65536, 0x01))
            try:
                for _ in range(200):
                    attacker.sendall(frame(b"x" * 65536, 0x00))
            except ConnectionError:
                pass
            else:
                assert close_code(until_closed(attacker)) == 1009
        else:
            attacker.sendall(b"\x81\xff" + struct.pack("!Q", 1 << 62) + b"\0\0\0\0")
            assert close_code(until_closed(attacker)) == 1009
    assert_serves(server)


@pytest.mark.parametrize(
    "start", [b"", b"GET / HTTP/1.1\r\nHost:"], ids=["silence", "half a handshake"]
)
def test_a_handshake_that_does_not_come_ends(
    serve: Callable[..., Running],  # noqa: F811
    log: SQLiteEventLog,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    start: bytes,
) -> None:
    monkeypatch.setattr("jimbot.mcp.server._OPEN_S", 0.3)
    running = serve(log)
    with socket.create_connection(("127.0.0.1", running.server.port), 20) as slow:
        slow.sendall(start)
        until_closed(slow)
    assert_serves(running)


def test_sockets_without_a_handshake_are_bounded(
    serve: Callable[..., Running],  # noqa: F811
    log: SQLiteEventLog,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jimbot.mcp.server._SOCKETS", 10)
    running = serve(log)
    many = [socket.create_connection(("127.0.0.1", running.server.port), 20) for _ in range(25)]
    dropped = sum(until_closed(one, 10) == b"" for one in many[10:])
    assert dropped >= 14
    for one in many:
        one.close()
    deadline = time.monotonic() + 20
    while len(running.server._sockets):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert_serves(running)


@pytest.mark.parametrize(
    "text",
    ["[" * 500_000, '{"a":' * 100_000, '"' + "\\u0000" * 100_000, "9" * 500_000, "1e999", "NaN"],
    ids=["lists", "objects", "zeros", "digits", "infinity", "nan"],
)
def test_json_bombs_are_refused(server: Running, text: str) -> None:  # noqa: F811
    with dial(server.url) as attacker:
        attacker.send(text)
        assert hear(attacker)["type"] == "error"
        attacker.send(encode_event(heartbeat("e1")))
        assert hear(attacker) == {"type": "ack", "event_ids": ["e1"]}


@pytest.mark.parametrize("says_its_size", [True, False])
def test_a_zstd_bomb_in_the_log_is_not_unpacked(says_its_size: bool) -> None:
    packer = zstandard.ZstdCompressor(write_content_size=says_its_size)
    bomb = packer.compress(b"\0" * (256 * MB))
    assert len(bomb) < MB
    before = psutil.Process().memory_info().rss
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"bytes|ompress|buffer|large"):
            packing.decompress(bomb)
        assert tracemalloc.get_traced_memory()[1] < 80 * MB
    finally:
        tracemalloc.stop()
    assert psutil.Process().memory_info().rss - before < 64 * MB


def assert_serves(running: Running) -> None:
    with dial(running.url) as honest:
        event = f"e{time.monotonic_ns()}"
        honest.send(encode_event(heartbeat(event)))
        answer = hear(honest)
        assert answer == {"type": "ack", "event_ids": [event]}, json.dumps(answer)


def test_attacks_leave_nothing_behind(server: Running, tmp_path: Path) -> None:  # noqa: F811
    process = psutil.Process()

    def attack() -> None:
        for _ in range(10):
            with upgrade(server.server.port) as attacker:
                attacker.sendall(os.urandom(2000))
                until_closed(attacker)
            with socket.create_connection(("127.0.0.1", server.server.port), 20) as noise:
                noise.sendall(os.urandom(500) + b"\r\n\r\n")
                until_closed(noise)
            with dial(server.url) as attacker2:
                attacker2.send("[" * 100_000)
                hear(attacker2)

    attack()
    descriptors, memory = process.num_fds(), process.memory_info().rss
    for _ in range(4):
        attack()
    deadline = time.monotonic() + 20
    while process.num_fds() > descriptors + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.num_fds() <= descriptors + 2
    assert process.memory_info().rss - memory < 16 * MB
    assert_serves(server)
