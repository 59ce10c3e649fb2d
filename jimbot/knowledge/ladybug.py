"""The embedded graph: Ladybug, a column store inside the process, in one file and its WAL.

One process opens it to write (analytics). Ladybug's tables are typed and laid out beforehand; the
version of the layout is kept in the graph.
"""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from jimbot.errors import MissingExtra
from jimbot.knowledge.graph import PROJECTION, GraphError, Rows, no_graph

BUFFER_POOL = 128 << 20
"""The most bytes that Ladybug may use; a batch of some thousand games in one transaction needs most
of them, the graph at rest a quarter."""

_THREADS = 2  # a reader and the writer; queries are too small to be worth splitting
_ADDRESS_SPACE = 1 << 34  # the largest file; Ladybug reserves as much address space
# What is not in the file yet takes much memory: pages for every column that a transaction touched.
_TRANSACTIONS_PER_CHECKPOINT = 32
_WAL_PER_CHECKPOINT = 2 << 20  # bytes
_QUERY_TIMEOUT_MS = 10_000

_COUNTS = "games INT64 DEFAULT 0, wins INT64 DEFAULT 0, confidence DOUBLE DEFAULT 0.0"

# A table costs 2 to 4 MiB of memory while the graph is open, whatever is in it: so they are few.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE NODE TABLE Joker(key STRING PRIMARY KEY, name STRING, rarity INT64, cost INT64,"
        f" effect STRING, {_COUNTS})",
        "CREATE NODE TABLE Hand(key STRING PRIMARY KEY, rank INT64, chips INT64, mult INT64,"
        f" level_chips INT64, level_mult INT64, secret BOOLEAN, {_COUNTS})",
        "CREATE NODE TABLE Item(key STRING PRIMARY KEY, kind STRING, name STRING, cost INT64,"
        " needs STRING, effect STRING)",
        "CREATE NODE TABLE Blind(key STRING PRIMARY KEY, name STRING, min_ante INT64,"
        " scale DOUBLE, reward INT64, finisher BOOLEAN, effect STRING)",
        f"CREATE NODE TABLE Record(key STRING PRIMARY KEY, kind STRING, name STRING, {_COUNTS})",
        "CREATE NODE TABLE Combination(key STRING PRIMARY KEY, jokers STRING[], wins INT64,"
        " last INT64, game STRING)",
        f"CREATE REL TABLE PAIRED(FROM Joker TO Joker, {_COUNTS})",
        f"CREATE REL TABLE SUPPORTS(FROM Joker TO Hand, {_COUNTS})",
        "CREATE REL TABLE PART_OF(FROM Joker TO Combination)",
        "CREATE REL TABLE LEVELS(FROM Item TO Hand)",
    ),
    (
        "CREATE NODE TABLE Note(key STRING PRIMARY KEY, subject STRING, relation STRING,"
        " object STRING, claim STRING, confidence DOUBLE, game STRING, time INT64)",
        "CREATE REL TABLE NOTED(FROM Joker TO Note, FROM Hand TO Note)",
    ),
)
"""What each version of the schema adds to the one before; a step is never edited once released."""

# Numbers about the graph itself: the schema's version, positions, what was seeded.
_META = "CREATE NODE TABLE Meta(key STRING PRIMARY KEY, value INT64)"

# What Ladybug raises, beside RuntimeError, over files that are damaged.
_FAILURES = (RuntimeError, MemoryError, OSError, IndexError, ValueError)


class LadybugGraph:
    """A `GraphStore` in the file `path`, made when it is not there.

    What changes the graph goes into a `transaction`; outside of one, statements only read. Readers
    go on while a transaction is under way, and see what was before it.

    Args:
        read_only: change nothing, the schema included; it may then be an older one.

    Raises:
        MissingExtra: Ladybug is not installed.
        GraphMissing: `read_only`, and there is no graph at `path` yet.
        GraphError: the file is no graph of ours, is damaged, of another version, or in use.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, buffer_pool: int = BUFFER_POOL
    ) -> None:
        try:
            import ladybug
        except ImportError:
            raise MissingExtra("ladybug", "embedded") from None
        self.path = path
        self._read_only = read_only
        self._write_lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._owner: int | None = None  # the thread whose transaction is under way
        self._aborted = False
        self._unchecked = 0  # transactions since the last checkpoint
        self._database: Any = None
        self._writer: Any = None
        self._reader: Any = None
        if read_only and not path.exists():
            raise no_graph(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = ladybug.Database(
                path,
                buffer_pool_size=buffer_pool,
                max_num_threads=_THREADS,
                max_db_size=_ADDRESS_SPACE,
                read_only=read_only,
                # A process that was killed leaves half a record at the WAL's end: what was
                # committed comes before it. Were the damage earlier, the position would go back
                # with what is lost, and the log fills it in again.
                throw_on_wal_replay_failure=False,
            )
            self._writer = ladybug.Connection(self._database, num_threads=1)
            self._reader = ladybug.Connection(self._database, num_threads=1)
            self._reader.set_query_timeout(_QUERY_TIMEOUT_MS)
        except _FAILURES as error:
            self.close()
            raise self._cannot_open(error) from error
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    def run(self, cypher: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        if self._owner == threading.get_ident():
            return self._run_in_transaction(cypher, parameters)
        with self._read_lock:
            # Otherwise a change would slip in beside the writer, or fail only while that writes.
            self._execute(self._reader, "BEGIN TRANSACTION READ ONLY")
            try:
                rows = self._execute(self._reader, cypher, parameters)
            except BaseException:
                self._roll_back(self._reader)
                raise
            self._execute(self._reader, "COMMIT")
            return rows

    def run_rows(
        self,
        cypher: str,
        rows: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, Any] | None = None,
    ) -> Rows:
        given = dict(parameters or {})
        if not rows:
            return []
        # A list of maps costs Ladybug 150 µs a row; one text, taken apart there, 2 µs.
        packed = _as_text(rows)
        if packed is None:
            # Maps are of one type only if their keys come in one order.
            same = [{name: row[name] for name in rows[0]} for row in rows]
            return self.run(f"UNWIND $rows AS row {cypher}", {**given, "rows": same})
        text, prefix = packed
        return self.run(f"{prefix} {cypher}", {**given, "rows": text})

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._write_lock:
            if self._owner is not None:
                yield  # within one already: it ends with the outermost
                return
            if self._read_only:
                raise GraphError(f"the graph {self.path} is open for reading only")
            self._execute(self._writer, "BEGIN TRANSACTION")
            self._owner, self._aborted = threading.get_ident(), False
            try:
                yield
                self._run_in_transaction("COMMIT", None)
            except BaseException:
                self._roll_back(self._writer)
                raise
            finally:
                self._owner = None
            self._unchecked += 1
            if self._unchecked >= _TRANSACTIONS_PER_CHECKPOINT or self._wal() > _WAL_PER_CHECKPOINT:
                self._checkpoint()

    def position(self, projection: str = PROJECTION) -> int:
        return self._number(f"position {projection}")

    def set_position(self, position: int, projection: str = PROJECTION) -> None:
        self._set_number(f"position {projection}", position)

    def version(self) -> int:
        return self._number("schema")

    def clear(self) -> None:
        with self.transaction():
            for table in self._tables():
                kept = " WHERE n.key <> 'schema'" if table == "Meta" else ""
                self.run(f"MATCH (n:{table}){kept} DETACH DELETE n")

    def close(self) -> None:
        with self._write_lock, self._read_lock:
            for part in (self._reader, self._writer, self._database):
                if part is not None:
                    part.close()
            self._reader = self._writer = self._database = None

    def _run_in_transaction(self, cypher: str, parameters: Mapping[str, Any] | None) -> Rows:
        # Ladybug ends a transaction in which a statement failed, and would run what follows by
        # itself.
        if self._aborted:
            raise GraphError("the transaction was given up after a statement of it failed")
        try:
            return self._execute(self._writer, cypher, parameters)
        except BaseException:
            self._aborted = True
            raise

    def _execute(
        self, connection: Any, cypher: str, parameters: Mapping[str, Any] | None = None
    ) -> Rows:
        if connection is None:
            raise GraphError(f"the graph {self.path} is closed")
        try:
            result = connection.execute(cypher, dict(parameters or {}))
            if isinstance(result, list):
                raise GraphError("one statement at a time", hint="Take it apart at the semicolons")
            try:
                return [
                    {name: _plain(value) for name, value in row.items()}
                    for row in result.rows_as_dict()
                ]
            finally:
                result.close()
        except _FAILURES as error:
            raise self._failed(error, cypher) from error

    def _wal(self) -> int:
        try:
            return self.path.with_name(f"{self.path.name}.wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _checkpoint(self) -> None:
        """Fold the WAL into the file, and give the memory back to the system."""
        try:
            self._execute(self._writer, "CHECKPOINT")
        except GraphError:
            return  # a reader was in the way for too long; the next transaction tries again
        self._unchecked = 0
        with suppress(OSError, AttributeError):  # another C library than glibc keeps what it likes
            ctypes.CDLL(None).malloc_trim(0)

    def _roll_back(self, connection: Any) -> None:
        try:
            self._execute(connection, "ROLLBACK")
        except GraphError as error:
            if "No active transaction" not in error.message:
                raise

    def _number(self, key: str) -> int:
        rows = self.run("MATCH (m:Meta {key: $key}) RETURN m.value AS value", {"key": key})
        return int(rows[0]["value"]) if rows else 0

    def _set_number(self, key: str, value: int) -> None:
        self.run("MERGE (m:Meta {key: $key}) SET m.value = $value", {"key": key, "value": value})

    def _tables(self) -> list[str]:
        rows = self.run("CALL show_tables() RETURN name AS name, type AS type")
        return [str(row["name"]) for row in rows if row["type"] == "NODE"]

    def _migrate(self) -> None:
        tables = self._tables()
        if tables and "Meta" not in tables:
            raise GraphError(
                f"{self.path} is another program's graph", hint="Move it away; it was left as it is"
            )
        version = self.version() if tables else 0
        if version > len(MIGRATIONS):
            raise GraphError(
                f"{self.path} was written by a newer JimBot"
                f" (schema {version}, this one knows {len(MIGRATIONS)})",
                hint="Run the JimBot that wrote it, or a newer one; it was left as it is",
            )
        if self._read_only and version == 0:
            raise no_graph(self.path)
        if self._read_only or version == len(MIGRATIONS):
            return
        with self.transaction():
            if not tables:
                self.run(_META)
            for step in MIGRATIONS[version:]:
                for statement in step:
                    self.run(statement)
            self._set_number("schema", len(MIGRATIONS))

    def _cannot_open(self, error: BaseException) -> GraphError:
        text = " ".join(str(error).split())
        if "Could not set lock" in text:
            holder = re.search(r"held by PID (\d+)", text)
            who = f"process {holder[1]}" if holder else "another process"
            return GraphError(
                f"the graph {self.path} is in use by {who}",
                hint="Ask analytics over HTTP, or stop it first (only one process may write)",
            )
        if "not a valid Lbug database file" in text:
            return GraphError(
                f"{self.path} is not a graph: no Ladybug file",
                hint="Move it away; a new one is filled from the event log",
            )
        if "different version" in text:
            return GraphError(
                f"{self.path} was written by another version of Ladybug",
                hint="Install the ladybug that poetry.lock pins, or move the file away;"
                " a new one is filled from the event log",
            )
        if isinstance(error, OSError) or re.search(r"IO exception: Cannot open|READ ONLY", text):
            return GraphError(
                f"cannot open the graph {self.path}: {text}",
                hint=f"Make {self.path.parent} a directory that JimBot may write to",
            )
        return self._damaged(text or type(error).__name__)

    def _failed(self, error: BaseException, cypher: str) -> GraphError:
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, MemoryError) or re.search(r"checksum|orrupt", text):
            return self._damaged(text)
        if "Cannot write to file" in text or "No space left" in text:
            return GraphError(
                f"cannot write to the graph {self.path}: {text}",
                hint="Free disk space or mend the disk; nothing was half-written",
            )
        if "Buffer manager" in text:
            return GraphError(
                "the graph has too little memory for this statement", hint="Write less at a time"
            )
        if "read-only transaction" in text:
            return GraphError(
                "a statement outside of a transaction changes the graph",
                hint="Run it inside `with graph.transaction()`",
            )
        if "nterrupted" in text:
            return GraphError(
                f"the graph did not answer within {_QUERY_TIMEOUT_MS // 1000} s: {cypher[:80]}",
                hint="Ask for less at a time",
            )
        return GraphError(f"the graph refused a statement: {text}")

    def _damaged(self, what: str) -> GraphError:
        return GraphError(
            f"the graph {self.path} is damaged: {what}",
            hint="Stop JimBot and move it and its .wal away; a new one is filled from the log",
        )


_ROW, _FIELD, _ITEM = "\x1e", "\x1f", "\x1d"
_SEPARATORS = re.compile("[\x00\x1d-\x1f]")
_CASTS: dict[type, str] = {int: "INT64", float: "DOUBLE", bool: "BOOL"}


def _as_text(rows: Sequence[Mapping[str, Any]]) -> tuple[str, str] | None:
    """Rows as one text, and the Cypher that makes `row` of it; None where a value has no such form.

    Values are numbers, texts, or lists of texts, of one type a column.
    """
    names = list(rows[0])
    types = [type(value) for value in rows[0].values()]
    if any(each not in (int, float, bool, str, list) for each in types):
        return None
    lines = []
    for row in rows:
        fields = []
        for name, kind in zip(names, types, strict=True):
            value = row[name]
            if type(value) is not kind:
                return None
            if kind is list:
                if not value or not all(isinstance(item, str) and item for item in value):
                    return None
                if any(_SEPARATORS.search(item) for item in value):
                    return None
                fields.append(_ITEM.join(value))
                continue
            field = value if kind is str else repr(value)
            if not field or (kind is str and _SEPARATORS.search(field)):
                return None
            fields.append(field)
        lines.append(_FIELD.join(fields))
    columns = []
    for number, (name, kind) in enumerate(zip(names, types, strict=True), 1):
        cell = f"cells[{number}]"
        if kind in _CASTS:
            cell = f"CAST({cell}, '{_CASTS[kind]}')"
        elif kind is list:
            cell = f"string_split({cell}, '{_ITEM}')"
        columns.append(f"{name}: {cell}")
    return _ROW.join(lines), (
        f"UNWIND string_split($rows, '{_ROW}') AS line"
        f" WITH string_split(line, '{_FIELD}') AS cells WITH {{{', '.join(columns)}}} AS row"
    )


def _plain(value: Any) -> Any:
    """Sums come as decimals."""
    return int(value) if isinstance(value, Decimal) else value
