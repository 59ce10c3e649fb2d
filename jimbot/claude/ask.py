"""Asking together: one request for equal questions, and for like ones that come at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from jimbot.claude.question import Question
from jimbot.claude.strategist import Opinion

# What comes of a question: Claude's opinion, or a word for why there is none.
Outcome = Opinion | str
Future = asyncio.Future[Outcome]


class Asked(NamedTuple):
    """One question on its way, with who waits for it."""

    key: bytes
    question: Question
    answer: Future


class Batch:
    """Like questions that will be sent as one request, when the window closes or it is full."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.chars = 0
        self.closed = asyncio.Event()


class Asking:
    """Joins questions into requests.

    Args:
        send: answers a batch by resolving each of its futures; runs in a task of its own.
        window_s, size, chars: how long a batch waits for more, and how much fits.
    """

    def __init__(
        self, send: Callable[[Batch], Awaitable[None]], *, window_s: float, size: int, chars: int
    ) -> None:
        self._send = send
        self._window_s, self._size, self._chars = window_s, size, chars
        self._flights: dict[bytes, Future] = {}
        self._open: dict[str, Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def flight(self, key: bytes) -> Future | None:
        """The answer that somebody else already waits for."""
        return self._flights.get(key)

    def joinable(self, question: Question, chars: int) -> Batch | None:
        """The open batch of this kind, when the question fits in."""
        batch = self._open.get(question.kind)
        if batch is None or batch.chars + chars > self._chars:
            return None
        return batch

    def join(self, batch: Batch | None, key: bytes, question: Question, chars: int) -> Future:
        """Put a question into a batch, or into a new one that then is open for its kind."""
        answer: Future = asyncio.get_running_loop().create_future()
        self._flights[key] = answer
        answer.add_done_callback(lambda _: self._flights.pop(key, None))
        if batch is None:
            batch = Batch()
            if self._size > 1:
                self._open[question.kind] = batch
            task = asyncio.create_task(self._work(question.kind, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        batch.asked.append(Asked(key, question, answer))
        batch.chars += chars
        if len(batch.asked) >= self._size:
            self._close(question.kind, batch)
        return answer

    async def stop(self) -> None:
        """Give up what is on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _close(self, kind: str, batch: Batch) -> None:
        batch.closed.set()
        if self._open.get(kind) is batch:
            del self._open[kind]

    async def _work(self, kind: str, batch: Batch) -> None:
        try:
            async with asyncio.timeout(self._window_s):
                await batch.closed.wait()
        except TimeoutError:
            self._close(kind, batch)
        try:
            await self._send(batch)
        finally:
            # Whatever happened, nobody waits for ever.
            for asked in batch.asked:
                if not asked.answer.done():
                    asked.answer.set_result("failed")
