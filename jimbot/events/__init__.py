"""Events, the log that keeps them, and the games in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jimbot.events.event import Event, EventError, new_event_id, now_ms, parse_event
from jimbot.events.log import (
    NO_STREAM,
    Appended,
    EventLog,
    LogError,
    LogMissing,
    Recorded,
    Snapshot,
    WrongRevision,
)
from jimbot.events.payloads import stream_of, validate
from jimbot.events.sqlite import SQLiteEventLog

if TYPE_CHECKING:
    from jimbot.appliance import Home

__all__ = [
    "NO_STREAM",
    "Appended",
    "Event",
    "EventError",
    "EventLog",
    "LogError",
    "LogMissing",
    "Recorded",
    "Snapshot",
    "WrongRevision",
    "init",
    "new_event_id",
    "now_ms",
    "open_log",
    "parse_event",
    "stream_of",
    "validate",
]


def open_log(home: Home, *, read_only: bool = False) -> EventLog:
    """The event log of one home; the place that chooses its engine.

    Raises:
        LogMissing: to be read only, and nobody has made it yet.
        LogError: it cannot be used; says why and what to do.
    """
    from jimbot.appliance import stores

    chosen = stores.stores()
    if chosen.log.engine == "server":
        from jimbot.events.eventstore import EventStoreLog

        user, password = chosen.log.login(home, read_only=read_only)
        return EventStoreLog(
            home.event_log.with_name("mirror.sqlite"),
            chosen.log.address,
            user=user,
            password=password,
            timeout_s=chosen.timeout_s,
            breaker_failures=chosen.breaker_failures,
            breaker_open_s=chosen.breaker_open_s,
            read_only=read_only,
        )
    return SQLiteEventLog(home.event_log, read_only=read_only)


def init(home: Home) -> list[str]:
    """Make the log if there is none; returns a line for people on what was done.

    Raises:
        LogError: it cannot be made, or is there and cannot be used.
    """
    existed = home.event_log.exists()
    log = open_log(home)
    try:
        count = log.count()
    finally:
        log.close()
    return [f"event log {home.event_log}: " + (f"{count} events" if existed else "created")]
