"""HTTP for strangers: a request has a size and a time, and a server so many connections."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES: Final = 64 << 10
BODY_BYTES: Final = 8 << 20
"""More than any API of ours takes; what is less, but too much for one, it refuses itself."""
REQUEST_S: Final = 20.0
"""For all of a request to come, from when the connection is there or the last answer was given."""
CONNECTIONS: Final = 512


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which would wait for ever and keep everything, with an end to both."""

    _open = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        PatientProtocol._open += 1
        self._head = 0
        self._body = 0
        self._in_head = True
        self._deadline: asyncio.TimerHandle | None = None
        if PatientProtocol._open > CONNECTIONS:
            transport.abort()
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        PatientProtocol._open -= 1
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        # One read may hold the head's end; it is at most a socket's buffer.
        if self._in_head and self._head > HEAD_BYTES:
            self._end("431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        self._in_head = True
        self._body = 0
        if self._deadline is None:
            self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        if self._body > BODY_BYTES:
            self._end("413 Content Too Large")
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._rest()
        super().on_message_complete()

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_S, self._end, "408 Request Timeout")

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self, status: str) -> None:
        self._rest()
        transport: Any = self.transport
        if transport.is_closing():
            return
        # An answer that has begun must not get another one in its middle.
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            transport.write(
                f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
            )
        transport.close()
