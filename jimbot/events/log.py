"""What every event log can do, whichever engine keeps it.

The log is the one source of truth: an event is true when it is in here, and everything else in
JimBot can be rebuilt from it. Engines: `jimbot.events.sqlite` (embedded) and
`jimbot.events.eventstore` (on a server).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jimbot.errors import JimbotError
from jimbot.events.event import Event


class LogError(JimbotError):
    """The log could not be opened, read or written; nothing was half-written."""


class LogMissing(LogError):
    """There is no log yet: the writer, which makes it, has not run."""


class WrongRevision(LogError):
    """A stream is not at the revision that the writer expected; nothing was stored."""


NO_STREAM = -1
"""The revision to expect of a stream that has no event yet."""


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


class Snapshot(NamedTuple):
    """What a reader made of a stream up to `revision`, so that it need not read that far again."""

    stream: str
    revision: int
    state: dict[str, Any]


class EventLog(Protocol):
    """An append-only, totally ordered log of streams. Positions start at 1 and only grow.

    Positions follow each other without gaps as events come; `scavenge` leaves gaps behind.
    """

    def append(
        self, items: Sequence[tuple[str, Event]], *, expected: Mapping[str, int] | None = None
    ) -> list[Appended]:
        """Make `(stream, event)` pairs durable, in order and all or none, before returning.

        An event whose `event_id` is in the log already is not stored again; the answer then
        holds the first one's position.

        Args:
            expected: by stream, the revision of its last event (`NO_STREAM` for none) that the
                writer has seen. A stream all of whose events here are duplicates is not compared,
                so that the same append may be tried again.

        Raises:
            EventError: a payload has no JSON form; nothing was stored.
            WrongRevision: somebody else wrote to a stream meanwhile; nothing was stored.
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

    def read_stream(
        self, stream: str, *, after: int = NO_STREAM, limit: int | None = None
    ) -> list[Recorded]:
        """One stream's events by revision (from 0), those with revision > `after`."""

    def contains(self, event_ids: Iterable[str]) -> set[str]:
        """Those of `event_ids` that are stored."""

    def position(self) -> int:
        """The last event's position; 0 for an empty log."""

    def count(self, types: Collection[str] | None = None) -> int:
        """How many events are stored."""

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a stream's newest snapshot; an older one than is there changes nothing."""

    def snapshot(self, stream: str) -> Snapshot | None: ...

    def scavenge(self, before: int, keep: Collection[str]) -> int:
        """Remove events that happened before a time (ms), but for the types in `keep`.

        Returns how many were removed. Positions and revisions are never given out again; the
        last event always stays. An `event_id` that was removed is no longer known: sent again, it
        would be stored again.
        """

    def copy(self, to: Path) -> None:
        """Write a consistent copy of the log, while it is in use, to a new file: a backup.

        Raises:
            LogError: there is a file, or the engine has means of its own (the message says which).
        """

    def close(self) -> None: ...
