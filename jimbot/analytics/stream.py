"""Server-sent events: one figure a second to whoever looks, however slowly they read.

Figures are made once for all clients, and only while there is one. A client holds nothing but
its turn: one that was slow gets the newest figures next, not those it missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_log = logging.getLogger(__name__)

CLIENTS_LIMIT = 64
# A client that takes no byte for so long is gone; its browser connects again by itself.
_SEND_LIMIT_S = 30.0


def encode(messages: Mapping[str, str]) -> bytes:
    """Messages `{event: one line of data}` as the text of an event stream."""
    return "".join(f"event: {name}\ndata: {data}\n\n" for name, data in messages.items()).encode()


class Hub:
    """Makes messages every `interval_s` seconds and hands the newest to every stream.

    Args:
        make: makes the messages; what it raises is logged, and the streams stay silent meanwhile.
    """

    def __init__(
        self, make: Callable[[], Awaitable[Mapping[str, str]]], *, interval_s: float = 1.0
    ) -> None:
        self._make = make
        self._interval_s = interval_s
        self._newest = b""
        self._number = 0
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._streams: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def clients(self) -> int:
        return len(self._streams)

    @property
    def full(self) -> bool:
        return self._closed or len(self._streams) >= CLIENTS_LIMIT

    async def close(self) -> None:
        """End every stream at once, also those whose client does not read."""
        self._closed = True
        tasks = [*self._streams, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def joined(self, task: asyncio.Task[None]) -> AsyncIterator[None]:
        """Count `task` as a stream while the block runs; the first one starts the making."""
        self._streams.add(task)
        if self._task is None:
            self._task = asyncio.create_task(self._keep_making())
        try:
            yield
        finally:
            self._streams.discard(task)
            if not self._streams and self._task:
                self._task.cancel()
                self._task, self._newest = None, b""

    async def next_after(self, number: int) -> tuple[int, bytes]:
        """The newest messages, once they are newer than those with that number."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._newest and self._number > number)
            return self._number, self._newest

    async def _keep_making(self) -> None:
        while True:
            try:
                newest = encode(await self._make())
            except Exception as error:
                _log.warning("no figures", extra={"fields": {"error": str(error)}})
            else:
                async with self._changed:
                    self._newest, self._number = newest, self._number + 1
                    self._changed.notify_all()
            await asyncio.sleep(self._interval_s)


class EventStream(Response):
    """The answer that stays open."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub) -> None:
        super().__init__(headers={"Cache-Control": "no-store"})
        del self.headers["content-length"]
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        async with self._hub.joined(sending):
            try:
                await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, leaving):
                    task.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)
        if self._hub._closed:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(0.2):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        await self._chunk(send, b"retry: 2000\n\n")
        number = 0
        while True:
            number, body = await self._hub.next_after(number)
            await self._chunk(send, body)

    @staticmethod
    async def _chunk(send: Send, body: bytes) -> None:
        async with asyncio.timeout(_SEND_LIMIT_S):
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
