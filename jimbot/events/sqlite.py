"""The embedded event log: one SQLite file in WAL mode.

One process writes (mcp), others read the same file meanwhile. SQLite lets one transaction write
at a time and shows commits in order; positions are given out inside it, so readers see them
without gaps.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jimbot.events import packing
from jimbot.events.event import Event
from jimbot.events.log import (
    NO_STREAM,
    Appended,
    LogError,
    LogMissing,
    Recorded,
    Snapshot,
    WrongRevision,
)
from jimbot.sqlite import FileKind, SQLiteFile

_FIRST = """
CREATE TABLE events (
    position  INTEGER PRIMARY KEY,
    stream    TEXT NOT NULL,
    revision  INTEGER NOT NULL,
    event_id  TEXT NOT NULL UNIQUE,
    type      TEXT NOT NULL,
    source    TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    version   INTEGER NOT NULL,
    priority  TEXT,
    payload   TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_stream ON events (stream, revision);
CREATE INDEX events_by_type ON events (type, position);
-- Counting rows reads all of them; the dashboard asks every second.
CREATE TABLE counts (type TEXT PRIMARY KEY, events INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

_COMPRESSED_AND_TRIMMED = """
-- The payload where it was worth compressing; `payload` is empty then.
ALTER TABLE events ADD COLUMN packed BLOB;
-- How far streams had come whose last events were scavenged.
CREATE TABLE trimmed (stream TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE snapshots (
    stream   TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    state    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

KIND = FileKind(
    name="event log",
    article="an",
    application_id=0x4A424F54,  # "JBOT"
    migrations=(_FIRST, _COMPRESSED_AND_TRIMMED),
    durable=True,
    error=LogError,
    missing=LogMissing,
    rescue="restore the log from a backup; it was left as it is",
    make="Start mcp",
)

_COLUMNS = (
    "position, stream, revision, event_id, type, source, timestamp, version, priority, payload,"
    " packed"
)
_REVISIONS = (
    "SELECT value, max(coalesce((SELECT max(revision) FROM events WHERE stream = value), -1),"
    " coalesce((SELECT revision FROM trimmed WHERE stream = value), -1)) FROM json_each(?)"
)
_SCAVENGED_AT_A_TIME = 5000


class SQLiteEventLog:
    """An `EventLog` in the file `path`, made when it is not there; safe to use from any thread.

    Every append is on the disk when it returns (`synchronous=FULL`).

    Raises:
        LogMissing: `read_only`, and there is no log at `path` yet.
        LogError: the file is no log, is damaged, was written by a newer JimBot, or its directory
            cannot be used. The file is left as it was.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._file = SQLiteFile(path, KIND, read_only=read_only)

    def append(
        self, items: Sequence[tuple[str, Event]], *, expected: Mapping[str, int] | None = None
    ) -> list[Appended]:
        if not items:
            return []
        # Encoded first, so that what cannot be stored fails before the transaction.
        rows = [(stream, event, *packing.encode(event)) for stream, event in items]
        with self._file.transaction() as writer:
            return _insert(writer, rows, expected or {})

    def read(
        self,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 1000,
        types: Collection[str] | None = None,
        newest_first: bool = False,
    ) -> list[Recorded]:
        order = "DESC" if newest_first else "ASC"
        bounds = "position > ?" + (" AND position < ?" if before is not None else "")
        values: list[Any] = [after] if before is None else [after, before]
        if types is None:
            query = (
                f"SELECT {_COLUMNS} FROM events WHERE {bounds} ORDER BY position {order} LIMIT ?"
            )
            return self._recorded(query, [*values, limit])
        if not types:
            return []
        # One bounded walk over the index a type, then merged; `type IN` would sort all matches.
        walks = " UNION ALL ".join(
            [
                "SELECT * FROM (SELECT position FROM events"
                f" WHERE type = ? AND {bounds} ORDER BY position {order} LIMIT ?)"
            ]
            * len(types)
        )
        query = (
            f"SELECT {_COLUMNS} FROM events WHERE position IN"
            f" (SELECT position FROM ({walks}) ORDER BY position {order} LIMIT ?)"
            f" ORDER BY position {order}"
        )
        walked = [value for kind in types for value in (kind, *values, limit)]
        return self._recorded(query, [*walked, limit])

    def read_stream(
        self, stream: str, *, after: int = NO_STREAM, limit: int | None = None
    ) -> list[Recorded]:
        query = (
            f"SELECT {_COLUMNS} FROM events WHERE stream = ? AND revision > ?"
            " ORDER BY revision LIMIT ?"
        )
        return self._recorded(query, [stream, after, -1 if limit is None else limit])

    def contains(self, event_ids: Iterable[str]) -> set[str]:
        query = "SELECT event_id FROM events WHERE event_id IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self._file.rows(query, [json.dumps(list(event_ids))])}

    def positions(self, event_ids: Iterable[str]) -> dict[str, int]:
        """Where those of `event_ids` are that are stored."""
        query = (
            "SELECT event_id, position FROM events"
            " WHERE event_id IN (SELECT value FROM json_each(?))"
        )
        return dict(self._file.rows(query, [json.dumps(list(event_ids))]))

    def revisions(self, streams: Iterable[str]) -> dict[str, int]:
        """The revisions of streams' last events, scavenged or not; `NO_STREAM` for none."""
        return dict(self._file.rows(_REVISIONS, [json.dumps(list(streams))]))

    def position(self) -> int:
        return int(self._file.rows("SELECT coalesce(max(position), 0) FROM events")[0][0])

    def count(self, types: Collection[str] | None = None) -> int:
        query, values = "SELECT coalesce(sum(events), 0) FROM counts", []
        if types is not None:
            query += " WHERE type IN (SELECT value FROM json_each(?))"
            values = [json.dumps(list(types))]
        return int(self._file.rows(query, values)[0][0])

    def save_snapshot(self, snapshot: Snapshot) -> None:
        state = json.dumps(snapshot.state, separators=(",", ":"))
        with self._file.transaction() as writer:
            writer.execute(
                "INSERT INTO snapshots VALUES (?, ?, ?) ON CONFLICT (stream) DO UPDATE SET"
                " revision = excluded.revision, state = excluded.state"
                " WHERE excluded.revision >= revision",
                (snapshot.stream, snapshot.revision, state),
            )

    def snapshot(self, stream: str) -> Snapshot | None:
        rows = self._file.rows("SELECT revision, state FROM snapshots WHERE stream = ?", [stream])
        return Snapshot(stream, rows[0][0], json.loads(rows[0][1])) if rows else None

    def scavenge(self, before: int, keep: Collection[str], *, last: int | None = None) -> int:
        """As every log's; what is at position `last` or beyond stays."""
        removed, after = 0, 0
        last = self.position() if last is None else last
        while True:
            # In small transactions, so that appends get their turn.
            with self._file.transaction() as writer:
                rows = writer.execute(
                    "SELECT position, stream, revision, type FROM events"
                    " WHERE position > ? AND position < ? AND timestamp < ?"
                    " AND type NOT IN (SELECT value FROM json_each(?)) ORDER BY position LIMIT ?",
                    (after, last, before, json.dumps(list(keep)), _SCAVENGED_AT_A_TIME),
                ).fetchall()
                _remove(writer, rows)
            removed += len(rows)
            if len(rows) < _SCAVENGED_AT_A_TIME:
                return removed
            after = rows[-1][0]

    def restore(self, rows: Iterable[Recorded]) -> None:
        """Put events where they are in another log that this one mirrors; what comes before the
        last one here is passed over.

        A revision of `NO_STREAM` is not known and goes on from the stream's last. An event that is
        here under an earlier position was scavenged there and sent again: it moves.

        Raises:
            LogError: nothing was stored.
        """
        encoded = [(entry, packing.encode(entry.event)) for entry in rows]
        if not encoded:
            return
        with self._file.transaction() as writer:
            (last,) = writer.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
            new = {it[0].event.event_id: it for it in encoded if it[0].position > last}
            again = writer.execute(
                "SELECT position, stream, revision, type FROM events"
                " WHERE event_id IN (SELECT value FROM json_each(?))",
                [json.dumps(list(new))],
            ).fetchall()
            if again:
                _remove(writer, again)
            streams = json.dumps(list({entry.stream for entry, _ in new.values()}))
            revisions = dict(writer.execute(_REVISIONS, [streams]))
            placed = []
            for entry, packed in sorted(new.values(), key=lambda it: it[0].position):
                # Numbers that were not written down may differ from mirror to mirror.
                revision = max(entry.revision, revisions[entry.stream] + 1)
                revisions[entry.stream] = revision
                placed.append(_row(entry.position, entry.stream, revision, entry.event, *packed))
            _write(writer, placed)
            _count(writer, Counter(entry.event.type for entry, _ in new.values()))

    def ending(self, before: int, keep: Collection[str], *, last: int) -> list[Recorded]:
        """The last events of their streams among those that `scavenge` would remove, without their
        payloads."""
        columns = _COLUMNS.replace("payload, packed", "'{}', NULL")
        query = (
            f"SELECT {columns} FROM events WHERE timestamp < ? AND position < ?"
            " AND type NOT IN (SELECT value FROM json_each(?)) AND NOT EXISTS (SELECT 1 FROM events"
            " AS later WHERE later.stream = events.stream AND later.revision > events.revision)"
            " ORDER BY position"
        )
        return self._recorded(query, [before, last, json.dumps(list(keep))])

    def trim(self, revisions: Mapping[str, int]) -> None:
        """Remember how far streams had come whose last events were scavenged elsewhere."""
        with self._file.transaction() as writer:
            _trim(writer, revisions.items())

    def last_before(self, time: int) -> int:
        """The position up to which every event happened before a time (ms); 0 for none."""
        query = "SELECT coalesce(min(position) - 1, ?) FROM events WHERE timestamp >= ?"
        return int(self._file.rows(query, [self.position(), time])[0][0])

    def copy(self, to: Path) -> None:
        self._file.copy(to)

    def close(self) -> None:
        self._file.close()

    def _recorded(self, query: str, values: Sequence[Any]) -> list[Recorded]:
        rows = self._file.rows(query, values)
        try:
            return [_decode(row) for row in rows]
        except ValueError as error:
            raise self._file.damaged(str(error)) from error


def _insert(
    writer: sqlite3.Connection,
    rows: Sequence[tuple[str, Event, str, bytes | None]],
    expected: Mapping[str, int],
) -> list[Appended]:
    """Insert those of `rows` that are not stored yet; inside the caller's transaction."""
    known, revisions = (
        _known(writer, rows) if len(rows) > 1 else _known_of_one(writer, *rows[0][:2])
    )
    for stream in {stream for stream, event, _, _ in rows if event.event_id not in known}:
        if (wanted := expected.get(stream)) is not None and wanted != revisions[stream]:
            raise WrongRevision(
                f"stream {stream} is at revision {revisions[stream]}, not at {wanted}",
                hint="Read it again and decide anew",
            )
    (position,) = writer.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    results = []
    new = []
    counts: Counter[str] = Counter()
    for stream, event, payload, packed in rows:
        first = known.get(event.event_id)
        if first is not None:
            results.append(Appended(first, duplicate=True))
            continue
        position += 1
        revisions[stream] += 1
        known[event.event_id] = position
        counts[event.type] += 1
        new.append(_row(position, stream, revisions[stream], event, payload, packed))
        results.append(Appended(position, duplicate=False))
    _write(writer, new)
    _count(writer, counts)
    return results


def _row(
    position: int, stream: str, revision: int, event: Event, payload: str, packed: bytes | None
) -> tuple[Any, ...]:
    """An event in the order of `_COLUMNS`."""
    return (
        position,
        stream,
        revision,
        event.event_id,
        event.type,
        event.source,
        event.timestamp,
        event.version,
        event.priority,
        payload,
        packed,
    )


def _write(writer: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    writer.executemany(f"INSERT INTO events ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)", rows)


def _known(
    writer: sqlite3.Connection, rows: Sequence[tuple[str, Event, str, bytes | None]]
) -> tuple[dict[str, int], dict[str, int]]:
    """Positions of the events that are stored already, by id; revisions of the streams."""
    ids = json.dumps([event.event_id for _, event, _, _ in rows])
    streams = json.dumps(list({stream for stream, _, _, _ in rows}))
    query = (
        "SELECT event_id, position FROM events WHERE event_id IN (SELECT value FROM json_each(?))"
    )
    return dict(writer.execute(query, [ids])), dict(writer.execute(_REVISIONS, [streams]))


def _known_of_one(
    writer: sqlite3.Connection, stream: str, event: Event
) -> tuple[dict[str, int], dict[str, int]]:
    """The same of a single event, which no list has to be taken apart for."""
    found = writer.execute(
        "SELECT position FROM events WHERE event_id = ?", [event.event_id]
    ).fetchone()
    (revision,) = writer.execute(
        "SELECT max(coalesce((SELECT max(revision) FROM events WHERE stream = ?1), -1),"
        " coalesce((SELECT revision FROM trimmed WHERE stream = ?1), -1))", [stream]
    ).fetchone()  # fmt: skip
    return ({event.event_id: found[0]} if found else {}), {stream: revision}


def _remove(writer: sqlite3.Connection, rows: Sequence[tuple[int, str, int, str]]) -> None:
    """Remove `(position, stream, revision, type)`; inside the caller's transaction."""
    _trim(writer, [(stream, revision) for _, stream, revision, _ in rows])
    writer.executemany("DELETE FROM events WHERE position = ?", [(row[0],) for row in rows])
    # Only streams whose last events are gone need to be remembered.
    writer.executemany(
        "DELETE FROM trimmed WHERE stream = ?1"
        " AND EXISTS (SELECT 1 FROM events WHERE stream = ?1 AND revision > trimmed.revision)",
        [(stream,) for stream in {row[1] for row in rows}],
    )
    _count(writer, {kind: -n for kind, n in Counter(row[3] for row in rows).items()})


def _trim(writer: sqlite3.Connection, revisions: Iterable[tuple[str, int]]) -> None:
    writer.executemany(
        "INSERT INTO trimmed VALUES (?, ?) ON CONFLICT (stream) DO UPDATE SET"
        " revision = max(revision, excluded.revision)",
        revisions,
    )


def _count(writer: sqlite3.Connection, counts: Mapping[str, int]) -> None:
    writer.executemany(
        "INSERT INTO counts VALUES (?, ?)"
        " ON CONFLICT (type) DO UPDATE SET events = events + excluded.events",
        counts.items(),
    )


def _decode(row: tuple[Any, ...]) -> Recorded:
    position, stream, revision, event_id, kind, source, timestamp, version, priority = row[:9]
    try:
        payload = packing.decode(*row[9:])
    except ValueError as error:
        raise ValueError(f"the event at position {position} does not hold JSON") from error
    # Not validated again: it was when it came in.
    event = Event.model_construct(
        type=kind,
        source=source,
        event_id=event_id,
        timestamp=timestamp,
        version=version,
        priority=priority,
        payload=payload,
    )
    return Recorded(position, stream, revision, event)
