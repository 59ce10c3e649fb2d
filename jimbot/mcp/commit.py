"""Group commit: what arrives while one append runs goes into the next."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from jimbot.events.event import Event
from jimbot.events.log import Appended, EventLog, LogError
from jimbot.events.payloads import GAME_ABANDONED, GAME_FINISHED, GAME_STARTED, stream_of
from jimbot.mcp.metrics import Metrics
from jimbot.service import Health

_log = logging.getLogger(__name__)

# Bounds a group, and with it the wait for an acknowledgement when much is queued.
_GROUP_EVENTS = 4096
_RETRY_FIRST_S = 0.2
_RETRY_LIMIT_S = 2.0
_DRAIN_S = 1.0
_SLOW_S = 5.0
# A log that is there has told its position long before.
_FIRST_ANSWER_S = 1.0
# Of a game that is kept action by action, what the log of mcp tells: thousands of others an hour
# leave their summary in the event log alone.
_MILESTONES = frozenset({GAME_STARTED, GAME_FINISHED, GAME_ABANDONED})

_T = TypeVar("_T")


class Submission:
    """One frame's events and whom to tell, from the event loop.

    `stored` is called once, with an answer per event, when they are durable; `unavailable` each
    time that a try to store failed, with the reason.
    """

    __slots__ = ("arrived", "events", "stored", "unavailable")

    def __init__(
        self,
        events: list[Event],
        stored: Callable[[list[Appended]], None],
        unavailable: Callable[[LogError], None],
    ) -> None:
        self.events = events
        self.stored = stored
        self.unavailable = unavailable
        self.arrived = time.monotonic()


class Committer:
    """Appends submissions to `log` in the order they came, in groups, one group at a time.

    A group that the log does not take is tried again until it does: so order is kept, and nothing
    that was submitted is dropped while this process lives. A log that is away from the start on is
    waited for likewise. An async context manager; it works while entered.

    Attributes:
        position: of the log's last event; 0 as long as it has not told.
    """

    def __init__(self, log: EventLog, metrics: Metrics) -> None:
        self.log = self._log = log
        self._metrics = metrics
        self._waiting: deque[Submission] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._task: asyncio.Task[None] | None = None
        self._append_began: float | None = None
        self._failure: LogError | None = None
        self._first_answer = asyncio.Event()
        self._reached = False
        self._when_reached: list[Callable[[int], None]] = []
        self.position = 0

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._work())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._first_answer.wait(), _FIRST_ANSWER_S)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._thread.shutdown()

    async def broken(self) -> None:
        """Return when it has met an error that trying again does not mend: a fault of ours.

        Leaving the context raises it.
        """
        assert self._task is not None
        await asyncio.wait({self._task})

    @property
    def reached(self) -> bool:
        """Whether the log has told its position."""
        return self._reached

    @property
    def bound(self) -> int:
        """What no position in the log is beyond; the largest number as long as that is unknown."""
        return self.position if self._reached else sys.maxsize

    def when_reached(self, tell: Callable[[int], None]) -> None:
        """Call `tell` with the log's position, once that is known and before more is stored."""
        if self._reached:
            tell(self.position)
        else:
            self._when_reached.append(tell)

    def submit(self, submission: Submission) -> None:
        self._waiting.append(submission)
        self._idle.clear()
        self._arrived.set()

    async def drain(self, timeout: float = _DRAIN_S) -> bool:
        """Wait until all that was submitted is durable; False after `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout)
        return self._idle.is_set()

    def health(self) -> Health:
        """Whether events get into the log."""
        if self._failure is not None:
            return Health(status="fail", reason=self._failure.message, hint=self._failure.hint)
        running_s = time.monotonic() - (self._append_began or time.monotonic())
        if running_s > _SLOW_S:
            return Health(
                status="warn",
                reason=f"a write to the log has not finished for {running_s:.0f} s",
                hint="Look at what else uses the disk, and at its health: dmesg, smartctl",
            )
        if not self._reached:
            return Health(
                status="warn",
                reason="the event log has not told its position yet",
                hint="A mirror that is filled anew takes some minutes; else see the log's server",
            )
        return Health(status="ok")

    async def _work(self) -> None:
        self._reach(await self._until_answered(self._ask_position))
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                await self._commit(self._next_group())
            self._idle.set()

    def _next_group(self) -> list[Submission]:
        group = [self._waiting.popleft()]
        size = len(group[0].events)
        while self._waiting and size + len(self._waiting[0].events) <= _GROUP_EVENTS:
            size += len(self._waiting[0].events)
            group.append(self._waiting.popleft())
        return group

    async def _commit(self, group: list[Submission]) -> None:
        items = [(stream_of(event), event) for one in group for event in one.events]
        results = await self._until_answered(lambda: self._append(items), group)
        new = [one.position for one in results if not one.duplicate]
        self._metrics.acknowledged.inc(len(results))
        self._metrics.duplicates.inc(len(results) - len(new))
        if new:
            self._move(new[-1])
        start, now = 0, time.monotonic()
        for one in group:
            mine = results[start : start + len(one.events)]
            start += len(one.events)
            self._metrics.event_seconds.observe(now - one.arrived)
            one.stored(mine)
            for event, where in zip(one.events, mine, strict=True):
                if event.type in _MILESTONES and not where.duplicate:
                    _tell(event, where.position)

    def _reach(self, position: int) -> None:
        self._move(position)
        self._reached = True
        for tell in self._when_reached:
            tell(position)

    def _move(self, position: int) -> None:
        self.position = position
        self._metrics.log_position.set(position)

    async def _until_answered(
        self, ask: Callable[[], Awaitable[_T]], group: Sequence[Submission] = ()
    ) -> _T:
        """Ask the log again and again; who waits, of `group` and behind it, is told of failures."""
        retry_s = _RETRY_FIRST_S
        while True:
            try:
                answer = await ask()
            except LogError as error:
                if self._failure is None:
                    _log.error("the log does not take events: %s", error)
                self._failure = error
            else:
                if self._failure is not None:
                    _log.info("the log takes events again")
                    self._failure = None
                return answer
            finally:
                self._first_answer.set()
            for one in (*group, *self._waiting):
                one.unavailable(self._failure)
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, _RETRY_LIMIT_S)

    async def _ask_position(self) -> int:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._log.position)

    async def _append(self, items: list[tuple[str, Event]]) -> list[Appended]:
        loop = asyncio.get_running_loop()
        self._append_began = began = time.monotonic()
        try:
            return await loop.run_in_executor(self._thread, self._log.append, items)
        except LogError:
            self._metrics.append_failures.inc()
            raise
        finally:
            self._append_began = None
            self._metrics.append_seconds.observe(time.monotonic() - began)


def _tell(event: Event, position: int) -> None:
    if event.type == GAME_FINISHED and not event.payload.get("recorded"):
        return
    fields = {
        "game": event.payload.get("game_id"),
        "source": event.source,
        "event_id": event.event_id,
        "position": position,
    }
    _log.info("stored %s", event.type, extra={"fields": fields})
