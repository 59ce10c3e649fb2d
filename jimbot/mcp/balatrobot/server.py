"""HTTP around `methods`: one game a port, one request at a time, a connection for each."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from jimbot.errors import JimbotError
from jimbot.mcp.balatrobot.methods import Game
from jimbot.mcp.balatrobot.rpc import ErrorName, answer, error

MAX_BODY: Final = 65536
_MAX_HEAD: Final = 16384
_REQUEST_S: Final = 10.0
_STATUS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
}


class PortTaken(JimbotError):
    """Another program listens where a game should."""


class LocalFiles:
    """The files of this machine, as this user; a file is replaced whole or not at all."""

    def read(self, path: str) -> bytes:
        return Path(path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        beside = f"{path}.{os.getpid()}.new"
        try:
            Path(beside).write_bytes(content)
            os.replace(beside, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            raise


class GameServer:
    """Serves one game on loopback; an async context manager. Port 0 picks a free one.

    Raises:
        PortTaken: on entering.
    """

    def __init__(self, port: int, game: Game | None = None, *, host: str = "127.0.0.1") -> None:
        self.game = game or Game(LocalFiles())
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        if self._server is None:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._talk, self._host, self._port, limit=_MAX_HEAD, backlog=128
            )
        except OSError as fault:
            raise PortTaken(
                f"cannot serve a game on {self._host}:{self._port}: {fault.strerror or fault}",
                hint=f"Stop what uses it (ss -ltnp sport = :{self._port}), or give another --port",
            ) from fault
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            async with asyncio.timeout(_REQUEST_S):
                status, body = await self._respond(reader)
                writer.write(_response(status, body))
                await writer.drain()
        except TimeoutError:
            writer.write(_response(408, error("BAD_REQUEST", "Request took too long")))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _respond(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _refused(400, "Request headers too large")
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _refused(400, "Invalid request line")
        headers = dict(_header(line) for line in lines[1:] if ":" in line)
        method, path, _ = words
        if method != "POST":
            return _refused(405, "Method not allowed. Use POST for JSON-RPC requests")
        if path != "/":
            return _refused(404, "Not found. Use POST to '/' for JSON-RPC requests")
        if "origin" in headers:
            # A page in a browser can reach loopback, and `save` writes files.
            return _refused(403, "Requests from web pages are refused")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            return _refused(400, "Invalid Content-Length")
        if len(length) > 9 or int(length) > MAX_BODY:
            return _refused(400, "Request body too large")
        body = await reader.readexactly(int(length))
        # From here to the answer nothing awaits: requests of one game never interleave.
        return 200, answer(body, self.game.call)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _refused(status: int, message: str) -> tuple[int, bytes]:
    name: ErrorName = "BAD_REQUEST"
    return status, error(name, message)


def _response(status: int, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


async def serve_games(
    port: int, games: int, stop: asyncio.Event, ready: Callable[[], None] = lambda: None
) -> None:
    """Serve `games` independent games on as many ports from `port` on, until `stop`.

    `ready` is called once, when all of them listen.

    Raises:
        PortTaken: one of the ports is in use; none is served then.
    """
    async with contextlib.AsyncExitStack() as stack:
        for place in range(games):
            await stack.enter_async_context(GameServer(port + place))
        ready()
        await stop.wait()
