"""The WebSocket server: sockets around `jimbot.mcp.protocol`, in front of `jimbot.mcp.commit`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from jimbot.events.log import Appended, LogError
from jimbot.mcp.commit import Committer, Submission
from jimbot.mcp.metrics import Metrics
from jimbot.mcp.protocol import MAX_FRAME_BYTES, Ack, Error, encode_answer, receive

_log = logging.getLogger(__name__)
_socket_log = logging.getLogger(f"{__name__}.socket")
# Every connection that comes and goes, and every port scanner's handshake, is no news; what goes
# wrong in a conversation is logged in `_talk`.
_socket_log.setLevel(logging.CRITICAL)

# A frame up to this size is read in order to be refused politely; a larger one ends its connection.
_READ_BYTES = 4 * MAX_FRAME_BYTES
_CONNECTIONS = 256
# What one connection, and all together, may have in flight. Beyond it their sockets are not read,
# which slows the senders. In bytes of memory: an event takes its text and about 1 KiB of objects.
_CONNECTION_BYTES = 4 << 20
_TOTAL_BYTES = 48 << 20
_OBJECT_BYTES = 1024
_SEND_ANSWERS_S = 0.5
_CLOSE_S = 0.5


class _Budget:
    """Bytes in flight; `room` waits until they are below the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._has_room = asyncio.Event()
        self._has_room.set()
        self.taken = 0

    def take(self, amount: int) -> None:
        self.taken += amount
        if self.taken >= self._limit:
            self._has_room.clear()

    def give(self, amount: int) -> None:
        self.taken -= amount
        if self.taken < self._limit:
            self._has_room.set()

    async def room(self) -> None:
        await self._has_room.wait()


class EventServer:
    """Takes events from WebSocket clients on loopback to a committer.

    Use as an async context manager; leaving it stops reading, has committed and acknowledges what
    was read, and closes. Port 0 picks a free one.

    Raises:
        OSError: on entering, when the port is taken.
    """

    def __init__(self, committer: Committer, metrics: Metrics, port: int) -> None:
        self._committer = committer
        self._metrics = metrics
        self._port = port
        self._total = _Budget(_TOTAL_BYTES)
        self._connections: set[_Connection] = set()
        self._server: Server | None = None
        self._stopping = False

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._server is None:
            return self._port
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def in_flight_bytes(self) -> int:
        return self._total.taken

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._talk,
            "127.0.0.1",
            self._port,
            # A page in a browser can reach loopback, but always says its Origin.
            origins=[None],
            process_request=self._admit,
            compression=None,
            max_size=_READ_BYTES,
            max_queue=2,
            close_timeout=_CLOSE_S,
            server_header=None,
            logger=_socket_log,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._stopping = True
        connections = list(self._connections)
        for connection in connections:
            connection.stop_reading()
        if not await self._committer.drain():
            _log.warning("stopping with events that are not stored; their clients keep them")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SEND_ANSWERS_S):
                await asyncio.gather(
                    *(one.send_answers() for one in connections), return_exceptions=True
                )
        self._server.close()
        await self._server.wait_closed()

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        if self._stopping:
            return socket.respond(503, "mcp is stopping\n")
        if len(self._connections) < _CONNECTIONS:
            return None
        return socket.respond(503, f"{_CONNECTIONS} connections are open already\n")

    async def _talk(self, socket: ServerConnection) -> None:
        connection = _Connection(socket, self._committer, self._metrics, self._total)
        self._connections.add(connection)
        self._metrics.connections.inc()
        try:
            await connection.run()
        except Exception:
            _log.exception("a connection failed")
            raise
        finally:
            self._connections.discard(connection)
            self._metrics.connections.dec()


class _Connection:
    """One client: a task that reads frames, and one that sends the answers as they get ready."""

    def __init__(
        self, socket: ServerConnection, committer: Committer, metrics: Metrics, total: _Budget
    ) -> None:
        self._socket = socket
        self._committer = committer
        self._metrics = metrics
        self._total = total
        self._own = _Budget(_CONNECTION_BYTES)
        self._reading = True
        self._acknowledged: list[str] = []
        self._errors: list[Error] = []
        self._answered_bytes = 0
        self._answers_ready = asyncio.Event()

    async def run(self) -> None:
        """Talk until either side closes."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        for task in done:
            with contextlib.suppress(ConnectionClosed):
                task.result()

    def stop_reading(self) -> None:
        """Leave unread what comes from now on; what was read is still answered."""
        self._reading = False

    async def send_answers(self) -> None:
        """Send what is ready: the errors, and one acknowledgement for all that was stored."""
        errors, self._errors = self._errors, []
        event_ids, self._acknowledged = self._acknowledged, []
        answered, self._answered_bytes = self._answered_bytes, 0
        for error in errors:
            await self._socket.send(encode_answer(error))
        if event_ids:
            await self._socket.send(encode_answer(Ack(event_ids=event_ids)))
        self._own.give(answered)

    async def _write(self) -> None:
        while True:
            await self._answers_ready.wait()
            self._answers_ready.clear()
            await self.send_answers()

    async def _read(self) -> None:
        async for frame in self._socket:
            if self._reading:
                self._take(frame)
                await self._own.room()
                await self._total.room()

    def _take(self, frame: str | bytes) -> None:
        received = receive(frame)
        for error in received.errors:
            self._metrics.rejected.labels(error.code).inc()
        if received.errors:
            size = _OBJECT_BYTES * len(received.errors)
            self._own.take(size)
            self._answer(size, errors=received.errors)
        if received.events:
            size = len(frame) + _OBJECT_BYTES * len(received.events)
            self._own.take(size)
            self._total.take(size)

            def stored(results: list[Appended]) -> None:
                self._total.give(size)
                self._answer(size, event_ids=[event.event_id for event in received.events])

            self._committer.submit(Submission(received.events, stored, self._unavailable))

    def _unavailable(self, failure: LogError) -> None:
        # Said again at each try, so that a client knows its connection is alive.
        if not any(error.code == "storage_unavailable" for error in self._errors):
            self._answer(0, errors=[Error(code="storage_unavailable", reason=failure.message)])

    def _answer(
        self, size: int, *, errors: list[Error] | None = None, event_ids: list[str] | None = None
    ) -> None:
        self._errors += errors or ()
        self._acknowledged += event_ids or ()
        self._answered_bytes += size
        self._answers_ready.set()
