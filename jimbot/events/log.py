"""What every event log can do, whichever engine keeps it.

The log is the one source of truth: an event is true when it is in here, and everything else in
JimBot can be rebuilt from it. Engines: `jimbot.events.sqlite` (embedded).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from jimbot.errors import JimbotError
from jimbot.events.event import Event


class LogError(JimbotError):
    """The log could not be opened, read or written; nothing was half-written."""


class LogMissing(LogError):
    """There is no log yet: the writer, which makes it, has not run."""


class Appended(NamedTuple):
    """Where an event went: its `position`, and whether it was there already."""

    position: int
    duplicate: bool


class Recorded(NamedTuple):
    """An event with its place: `position` over the whole log, `revision` within its stream."""

    position: int
    stream: str
    revision: int
    event: Event


class EventLog(Protocol):
    """An append-only, totally ordered log of streams. Positions start at 1 and only grow."""

    def append(self, items: Sequence[tuple[str, Event]]) -> list[Appended]:
        """Make `(stream, event)` pairs durable, in order and all or none, before returning.

        An event whose `event_id` is in the log already is not stored again; the answer then
        holds the first one's position.

        Raises:
            EventError: a payload has no JSON form; nothing was stored.
            LogError: nothing was stored.
        """

    def read(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 1000,
        types: Collection[str] | None = None,
        newest_first: bool = False,
    ) -> list[Recorded]:
        """At most `limit` events with `after` < position < `before`, oldest or newest first.

        A position is only ever visible after all smaller ones, so a reader that goes on from the
        last position it saw misses nothing.
        """

    def read_stream(self, stream: str, *, limit: int | None = None) -> list[Recorded]:
        """One stream's events by revision (from 0)."""

    def contains(self, event_ids: Iterable[str]) -> set[str]:
        """Those of `event_ids` that are stored."""

    def position(self) -> int:
        """The last event's position; 0 for an empty log."""

    def count(self, types: Collection[str] | None = None) -> int: ...

    def close(self) -> None: ...
