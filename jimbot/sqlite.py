"""One way to keep a store in a SQLite file: opened, checked, migrated, shared, and explained.

A file has one writing process and any number of reading ones (WAL). What a room keeps in it is the
room's; this module knows whose a file is, whether it is whole, which version it has, and what to
tell a person when something is wrong with it.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jimbot.errors import JimbotError

READERS = 8
"""Connections that read at a time; one more waits for one of them."""

_BUSY_S = 5.0
_IDLE_READERS = 3
# Above this size a full check would delay the start; damage is then met at the page it hit.
_CHECKED_WHOLE = 64 << 20


@dataclass(frozen=True)
class FileKind:
    """What a file of one kind is, and how people are told about it.

    Args:
        name: in the middle of a sentence, as `event log`, after `an` or `a`.
        application_id: tells the kind from other SQLite files.
        migrations: what each version adds to the one before; a step is never edited once released.
        durable: every commit waits for the disk; otherwise the last ones may be missing after a
            power cut, whole.
        rescue: what to do with a bad file.
        make: what makes a missing one.
    """

    name: str
    article: str
    application_id: int
    migrations: tuple[str, ...]
    durable: bool
    error: type[JimbotError]
    missing: type[JimbotError]
    rescue: str
    make: str

    @property
    def version(self) -> int:
        return len(self.migrations)


class SQLiteFile:
    """The file `path`, made when it is not there; safe to use from any thread.

    Raises (as the kind's errors, here and in every method):
        missing: `read_only`, and there is no such file yet.
        error: it is another kind of file, damaged, of a newer version, or its directory cannot be
            used. It is left as it was.
    """

    def __init__(self, path: Path, kind: FileKind, *, read_only: bool = False) -> None:
        self.path = path
        self.kind = kind
        self._read_only = read_only
        self._write_lock = threading.Lock()
        self._pool_lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(READERS)
        self._writer: sqlite3.Connection | None = None
        # Those that nobody reads with now; None when closed. A slow question holds up no other.
        self._idle: list[sqlite3.Connection] | None = []
        try:
            with self.explained("open"):
                self._check_file()
                if not read_only:
                    self._writer = self._open_writer()
                self._inode = path.stat().st_ino
                with self.reading() as reader:
                    self._check_content(reader, self._read_only)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """The writer, within a transaction that commits at the end of the block, or never was."""
        with self._write_lock, self.explained("write to"):
            writer = self._writer
            if writer is None:
                raise self._not_open()
            self._check_in_place()
            writer.execute("BEGIN IMMEDIATE")
            try:
                yield writer
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with, which nobody else has meanwhile."""
        with self._slots, self.explained("read"):
            with self._pool_lock:
                if self._idle is None:
                    raise self._not_open()
                reader = self._idle.pop() if self._idle else None
            self._check_in_place()
            reader = reader or self._connect("ro")
            try:
                yield reader
            finally:
                with self._pool_lock:
                    if self._idle is None or len(self._idle) >= _IDLE_READERS:
                        reader.close()
                    else:
                        self._idle.append(reader)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self.reading() as reader:
            return reader.execute(query, values).fetchall()

    def copy(self, to: Path) -> None:
        """Write a consistent copy of the whole file, while it is in use, to a new file `to`."""
        if to.exists():
            raise self.kind.error(f"{to} is there already", hint="Name a file that is not there")
        with self.reading() as reader:
            target = sqlite3.connect(to)
            try:
                reader.backup(target)  # at once: by parts, each commit would begin it anew
            finally:
                target.close()

    def close(self) -> None:
        with self._write_lock, self._pool_lock:
            # The writer last: SQLite folds the WAL into the file when its last user, if it may
            # write, closes.
            for connection in (*(self._idle or []), self._writer):
                if connection is not None:
                    connection.close()
            self._idle = self._writer = None

    def damaged(self, what: str) -> JimbotError:
        return self.kind.error(
            f"the {self.kind.name} {self.path} is damaged: {what}",
            hint=f"Stop JimBot and {self.kind.rescue}",
        )

    @contextmanager
    def explained(self, verb: str) -> Iterator[None]:
        """Turn what SQLite and the system raise into one line for a person."""
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "") or ""
            if name.startswith("SQLITE_NOTADB"):
                raise self._foreign("it is no SQLite file") from error
            if name.startswith("SQLITE_CORRUPT"):
                raise self.damaged(str(error)) from error
            raise self.kind.error(
                f"cannot {verb} the {self.kind.name} {self.path}: {error}", hint=_hint(name)
            ) from error
        except OSError as error:
            raise self.kind.error(
                f"cannot {verb} the {self.kind.name} {self.path}: {error.strerror}",
                hint=f"Make {self.path.parent} a directory that JimBot may write to",
            ) from error

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
                self._check_content(writer, False)
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute(f"PRAGMA synchronous = {'FULL' if self.kind.durable else 'NORMAL'}")
            writer.execute("PRAGMA journal_size_limit = 67108864")
            self._migrate(writer)
        except BaseException:
            writer.close()
            raise
        return writer

    def _migrate(self, writer: sqlite3.Connection) -> None:
        if _version(writer) == self.kind.version:
            return
        writer.execute("BEGIN IMMEDIATE")
        try:
            # Asked again inside: another process may have been quicker.
            for step in self.kind.migrations[_version(writer) :]:
                for statement in _statements(step):
                    writer.execute(statement)
            writer.execute(f"PRAGMA application_id = {self.kind.application_id}")
            writer.execute(f"PRAGMA user_version = {self.kind.version}")
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise

    def _check_file(self) -> None:
        """Look at the file before SQLite touches it, since SQLite lays out an empty one.

        Without opening it: closing it again would take from this process, as POSIX has it, every
        lock that its other connections hold on the file. The next writer to leave would think that
        nobody reads, remove the WAL, and leave them looking at what nobody writes to any more.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            if self._read_only:
                raise self._missing() from None
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not found.st_size and self._read_only:
            raise self._missing()

    def _check_content(self, connection: sqlite3.Connection, read_only: bool) -> None:
        if _is_empty(connection):
            raise self._missing()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if application != self.kind.application_id:
            raise self._foreign("another program's SQLite file")
        version = _version(connection)
        if version > self.kind.version:
            raise self.kind.error(
                f"{self.path} was written by a newer JimBot"
                f" (schema {version}, this one knows {self.kind.version})",
                hint="Run the JimBot that wrote it, or a newer one; it was left as it is",
            )
        if read_only and version < self.kind.version:
            raise self.kind.error(
                f"{self.path} was written by an older JimBot"
                f" (schema {version}, this one reads {self.kind.version})",
                hint="Start the service that writes it, or run: jimbot db migrate",
            )
        if self.path.stat().st_size <= _CHECKED_WHOLE:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise self.damaged(str(found).splitlines()[-1])

    def _check_in_place(self) -> None:
        """Also a removed file can be written, which is lost, and read, which tells nothing new."""
        try:
            if self.path.stat().st_ino == self._inode:
                return
        except FileNotFoundError:
            pass
        raise self.kind.error(
            f"{self.path} was removed or replaced while it was in use",
            hint="Put it back, or restart the services that use it to begin with what is there",
        )

    def _not_open(self) -> JimbotError:
        state = "closed" if self._idle is None else "open for reading only"
        return self.kind.error(f"the {self.kind.name} {self.path} is {state}")

    def _missing(self) -> JimbotError:
        return self.kind.missing(
            f"there is no {self.kind.name} at {self.path} yet",
            hint=f"{self.kind.make}, or run: jimbot init-db",
        )

    def _foreign(self, what: str) -> JimbotError:
        return self.kind.error(
            f"{self.path} is not {self.kind.article} {self.kind.name}: {what}",
            hint=f"Move it away; it was left as it is. Or {self.kind.rescue}",
        )


def stored_version(path: Path) -> int:
    """The version of the schema in a file, without changing it; 0 for an empty one."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S)
    try:
        return _version(connection)
    finally:
        connection.close()


def _hint(name: str) -> str:
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return "Free disk space or mend the disk; nothing was half-written"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "Another process is writing to it; stop that one"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return "Make the file and its directory writable for JimBot's user"
    return "See the service's log"


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
