"""The embedded event log: one SQLite file in WAL mode.

One process writes (mcp), others read the same file meanwhile. SQLite lets one transaction write
at a time and shows commits in order; positions are given out inside it, so readers see them
without gaps.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jimbot.events.event import Event, EventError
from jimbot.events.log import Appended, LogError, LogMissing, Recorded

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4A424F54  # "JBOT": tells our files from other programs' SQLite files

_SCHEMA = f"""
BEGIN IMMEDIATE;
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
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

_COLUMNS = (
    "position, stream, revision, event_id, type, source, timestamp, version, priority, payload"
)

_BUSY_S = 5.0
# Above this size a full check would delay the start; damage is then met at the page it hit.
_CHECKED_WHOLE = 64 << 20


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
        self._write_lock = threading.Lock()
        self._read_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        try:
            with self._explained("open"):
                self._check_file(missing_ok=not read_only)
                if not read_only:
                    self._writer = self._open_writer()
                self._reader = self._connect("ro")
                self._check_content(self._reader)
        except BaseException:
            self.close()
            raise
        self._inode = path.stat().st_ino

    def append(self, items: Sequence[tuple[str, Event]]) -> list[Appended]:
        if not items:
            return []
        # Encoded first, so that what cannot be stored fails before the transaction.
        rows = [(stream, event, _encode_payload(event)) for stream, event in items]
        with self._write_lock, self._explained("write to"):
            writer = self._open(self._writer)
            self._check_in_place()
            try:
                writer.execute("BEGIN IMMEDIATE")
                results = _insert(writer, rows)
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise
        return results

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

    def read_stream(self, stream: str, *, limit: int | None = None) -> list[Recorded]:
        query = f"SELECT {_COLUMNS} FROM events WHERE stream = ? ORDER BY revision LIMIT ?"
        return self._recorded(query, [stream, -1 if limit is None else limit])

    def contains(self, event_ids: Iterable[str]) -> set[str]:
        query = "SELECT event_id FROM events WHERE event_id IN (SELECT value FROM json_each(?))"
        return {row[0] for row in self._rows(query, [json.dumps(list(event_ids))])}

    def position(self) -> int:
        return int(self._rows("SELECT coalesce(max(position), 0) FROM events", [])[0][0])

    def count(self, types: Collection[str] | None = None) -> int:
        query, values = "SELECT coalesce(sum(events), 0) FROM counts", []
        if types is not None:
            query += " WHERE type IN (SELECT value FROM json_each(?))"
            values = [json.dumps(list(types))]
        return int(self._rows(query, values)[0][0])

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            # The writer last: SQLite folds the WAL into the file when its last user, if it may
            # write, closes.
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = None

    def _recorded(self, query: str, values: Sequence[Any]) -> list[Recorded]:
        rows = self._rows(query, values)
        try:
            return [_decode(row) for row in rows]
        except ValueError as error:
            raise self._damaged(str(error)) from error

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._read_lock, self._explained("read"):
            return self._open(self._reader).execute(query, values).fetchall()

    def _open(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        if connection is None:
            read_only = self._reader is not None
            raise LogError(
                f"the event log {self.path} is "
                + ("open for reading only" if read_only else "closed")
            )
        return connection

    def _connect(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_S,
            isolation_level=None,
            check_same_thread=False,
        )

    def _open_writer(self) -> sqlite3.Connection:
        writer = self._connect("rwc")
        try:
            if not _is_empty(writer):
                self._check_content(writer)
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("PRAGMA synchronous = FULL")
            writer.execute("PRAGMA journal_size_limit = 67108864")
            if _is_empty(writer):
                writer.executescript(_SCHEMA)
        except BaseException:
            writer.close()
            raise
        return writer

    def _check_file(self, *, missing_ok: bool) -> None:
        """Look at the file before SQLite touches it, since SQLite lays out an empty one."""
        try:
            with self.path.open("rb") as file:
                start = file.read(16)
        except FileNotFoundError:
            if missing_ok:
                return
            raise self._missing() from None
        if not start and not missing_ok:
            raise self._missing()
        if start and start != b"SQLite format 3\x00":
            raise LogError(
                f"{self.path} is not an event log: it is no SQLite file",
                hint="Move it away, or restore the log from a backup; it was left as it is",
            )

    def _check_content(self, connection: sqlite3.Connection) -> None:
        if _is_empty(connection):
            raise self._missing()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise LogError(
                f"{self.path} is not an event log: another program's SQLite file",
                hint="Move it away; it was left as it is",
            )
        if version > SCHEMA_VERSION:
            raise LogError(
                f"{self.path} was written by a newer JimBot"
                f" (schema {version}, this one knows {SCHEMA_VERSION})",
                hint="Run the JimBot that wrote it, or a newer one; it was left as it is",
            )
        if self.path.stat().st_size <= _CHECKED_WHOLE:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise self._damaged(str(found).splitlines()[-1])

    def _check_in_place(self) -> None:
        """Appends to a file that somebody removed would succeed, and be lost."""
        try:
            if self.path.stat().st_ino == self._inode:
                return
        except FileNotFoundError:
            pass
        raise LogError(
            f"{self.path} was removed or replaced while it was in use",
            hint="Put it back, or restart mcp to begin with what is there now",
        )

    def _missing(self) -> LogMissing:
        return LogMissing(
            f"there is no event log at {self.path} yet", hint="Start mcp, or run: jimbot init-db"
        )

    def _damaged(self, what: str) -> LogError:
        return LogError(
            f"the event log {self.path} is damaged: {what}",
            hint="Stop JimBot and restore the log from a backup; it was left as it is",
        )

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        """Turn what SQLite and the system raise into one line for a person."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or ""
            if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                raise self._damaged(str(error)) from error
            raise LogError(
                f"cannot {verb} the event log {self.path}: {error}", hint=_hint(name)
            ) from error
        except OSError as error:
            raise LogError(
                f"cannot {verb} the event log {self.path}: {error.strerror}",
                hint=f"Make {self.path.parent} a directory that JimBot may write to",
            ) from error


def _hint(name: str) -> str:
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return "Free disk space or mend the disk; nothing was half-written"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "Another process is writing to it; stop that one"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return "Make the file and its directory writable for JimBot's user"
    return "See the service's log"


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _insert(writer: sqlite3.Connection, rows: Sequence[tuple[str, Event, str]]) -> list[Appended]:
    """Insert those of `rows` that are not stored yet; inside the caller's transaction."""
    ids = json.dumps([event.event_id for _, event, _ in rows])
    streams = json.dumps(list({stream for stream, _, _ in rows}))
    known: dict[str, int] = dict(
        writer.execute(
            "SELECT event_id, position FROM events"
            " WHERE event_id IN (SELECT value FROM json_each(?))",
            [ids],
        )
    )
    revisions: dict[str, int] = dict(
        writer.execute(
            "SELECT value, coalesce((SELECT max(revision) FROM events WHERE stream = value), -1)"
            " FROM json_each(?)",
            [streams],
        )
    )
    (position,) = writer.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    results = []
    new = []
    counts: Counter[str] = Counter()
    for stream, event, payload in rows:
        first = known.get(event.event_id)
        if first is not None:
            results.append(Appended(first, duplicate=True))
            continue
        position += 1
        revisions[stream] += 1
        known[event.event_id] = position
        counts[event.type] += 1
        new.append(
            (
                position,
                stream,
                revisions[stream],
                event.event_id,
                event.type,
                event.source,
                event.timestamp,
                event.version,
                event.priority,
                payload,
            )
        )
        results.append(Appended(position, duplicate=False))
    writer.executemany(f"INSERT INTO events ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", new)
    writer.executemany(
        "INSERT INTO counts VALUES (?, ?)"
        " ON CONFLICT (type) DO UPDATE SET events = events + excluded.events",
        counts.items(),
    )
    return results


def _encode_payload(event: Event) -> str:
    try:
        return json.dumps(event.payload, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise EventError(f"event {event.event_id} cannot be written as JSON: {error}") from None


def _decode(row: tuple[Any, ...]) -> Recorded:
    position, stream, revision, event_id, kind, source, timestamp, version, priority, payload = row
    try:
        decoded = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the event at position {position} does not hold JSON") from error
    # Not validated again: it was when it came in.
    event = Event.model_construct(
        type=kind,
        source=source,
        event_id=event_id,
        timestamp=timestamp,
        version=version,
        priority=priority,
        payload=decoded,
    )
    return Recorded(position, stream, revision, event)
