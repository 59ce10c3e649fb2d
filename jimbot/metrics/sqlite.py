"""The embedded series store: one SQLite file in WAL mode.

One process writes (analytics), others may read the same file meanwhile. Beside the raw points the
store keeps one row a series and minute, written in the same transaction; questions in whole
minutes are answered from these, so a chart over months reads thousands of rows, not millions.
"""

from __future__ import annotations

import json
import math
import sqlite3
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jimbot.metrics.games import GameCount, GameRow, Kind
from jimbot.metrics.series import PROJECTION, How, Point, SeriesError, SeriesMissing

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4A42534D  # "JBSM": tells these files from other SQLite files
MINUTE = 60_000

_SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE series (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    tags TEXT NOT NULL,
    UNIQUE (name, tags)
) STRICT;
-- Kept in the order in which they are asked for. `number` tells points of one time apart.
CREATE TABLE points (
    series INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    number INTEGER NOT NULL,
    value  REAL NOT NULL,
    PRIMARY KEY (series, time, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE minutes (
    series      INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    points      INTEGER NOT NULL,
    sum         REAL NOT NULL,
    min         REAL NOT NULL,
    max         REAL NOT NULL,
    last_time   INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    last        REAL NOT NULL,
    PRIMARY KEY (series, time)
) STRICT, WITHOUT ROWID;
CREATE TABLE games (
    position    INTEGER PRIMARY KEY,
    time        INTEGER NOT NULL,
    game_id     TEXT NOT NULL,
    source      TEXT NOT NULL,
    seed        TEXT NOT NULL,
    deck        TEXT NOT NULL,
    stake       TEXT NOT NULL,
    policy      TEXT NOT NULL,
    won         INTEGER NOT NULL,
    ante        INTEGER NOT NULL,
    round       INTEGER NOT NULL,
    best_hand   REAL NOT NULL,
    money       INTEGER NOT NULL,
    actions     INTEGER NOT NULL,
    duration_ms REAL NOT NULL,
    jokers      TEXT NOT NULL,
    hands       TEXT NOT NULL,
    recorded    INTEGER NOT NULL
) STRICT;
CREATE INDEX games_by_id ON games (game_id);
CREATE INDEX games_by_policy ON games (policy, position);
CREATE INDEX games_won ON games (position) WHERE won;
CREATE TABLE counts (
    kind  TEXT NOT NULL,
    key   TEXT NOT NULL,
    games INTEGER NOT NULL,
    wins  INTEGER NOT NULL,
    times INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE positions (projection TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT;
CREATE TABLE numbers (next INTEGER NOT NULL) STRICT;
INSERT INTO numbers VALUES (1);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

_MINUTE_COLUMNS = "series, time, points, sum, min, max, last_time, last_number, last"
_GAME_COLUMNS = ", ".join(GameRow._fields)
_TABLES = ("points", "minutes", "series", "games", "counts", "positions")

_BUSY_S = 5.0
_IDLE_READERS = 3
# Above this size a full check would delay the start; damage is then met at the page it hit.
_CHECKED_WHOLE = 64 << 20

# What one bucket is, from rows shaped like those of `minutes`.
_AGGREGATE: dict[How, str] = {
    "sum": "sum(sum)",
    "count": "sum(points)",
    "mean": "sum(sum) / sum(points)",
    "min": "min(min)",
    "max": "max(max)",
}
_PERCENT: dict[How, int] = {"p50": 50, "p95": 95, "p99": 99}


class SQLiteSeries:
    """A `SeriesStore` in the file `path`, made when it is not there; safe to use from any thread.

    A write is never half there. After a power cut the last ones may be missing together with
    their positions, and come again from the log.

    Raises:
        SeriesMissing: `read_only`, and there is no store at `path` yet.
        SeriesError: the file is no series store, is damaged, was written by a newer JimBot, or
            its directory cannot be used. The file is left as it was.
    """

    def __init__(self, path: Path, read_only: bool = False) -> None:
        self.path = path
        self._write_lock = threading.Lock()
        self._readers_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        # Those that nobody reads with now; None when closed. A slow question holds up no other.
        self._readers: list[sqlite3.Connection] | None = []
        self._ids: dict[tuple[Any, ...], int] = {}
        try:
            with self._explained("open"):
                self._check_file(missing_ok=not read_only)
                if not read_only:
                    self._writer = self._open_writer()
                with self._reading() as reader:
                    self._check_content(reader)
        except BaseException:
            self.close()
            raise

    def write(
        self,
        points: Sequence[Point],
        *,
        games: Sequence[GameRow] = (),
        position: int | None = None,
        after: int | None = None,
        projection: str = PROJECTION,
    ) -> None:
        for point in points:
            if not math.isfinite(point.value):
                raise SeriesError(f"a point of {point.name} is {point.value}, which no chart holds")
        with self._write_lock, self._explained("write to"):
            writer = self._writing()
            try:
                writer.execute("BEGIN IMMEDIATE")
                if after is not None and (at := _position(writer, projection)) != after:
                    raise SeriesError(
                        f"{projection} is at position {at} of the log, not at {after}",
                        hint="Something else writes to this store; stop it, then go on from there",
                    )
                self._insert_points(writer, points)
                _insert_games(writer, games)
                if position is not None:
                    writer.execute(
                        "INSERT INTO positions VALUES (?, ?)"
                        " ON CONFLICT (projection) DO UPDATE SET position = excluded.position",
                        (projection, position),
                    )
                writer.execute("COMMIT")
            except BaseException:
                # Ids that were given out in this transaction are gone with it.
                self._ids.clear()
                if writer.in_transaction:
                    writer.execute("ROLLBACK")
                raise

    def position(self, projection: str = PROJECTION) -> int:
        with self._explained("read"), self._reading() as reader:
            return _position(reader, projection)

    def range(
        self,
        name: str,
        *,
        start: int,
        end: int,
        step: int,
        how: How,
        tags: Mapping[str, str] | None = None,
    ) -> list[tuple[int, float]]:
        if step < 1:
            raise SeriesError(f"a step of {step} ms is none", hint="Give at least 1 ms")
        return self._buckets(name, start, end, step, how, tags)

    def total(
        self,
        name: str,
        start: int,
        end: int,
        how: How,
        *,
        tags: Mapping[str, str] | None = None,
    ) -> float | None:
        buckets = self._buckets(name, start, end, None, how, tags)
        if buckets:
            return buckets[0][1]
        return 0.0 if how == "count" else None

    def latest(self, name: str, *, tags: Mapping[str, str] | None = None) -> Point | None:
        newest: tuple[int, int, float] | None = None
        of = 0
        for series in self._series(name, tags):
            rows = self._rows(
                "SELECT time, number, value FROM points WHERE series = ?"
                " ORDER BY time DESC, number DESC LIMIT 1",
                [series],
            )
            if rows and (newest is None or rows[0] > newest):
                newest, of = rows[0], series
        if newest is None:
            return None
        (found,) = self._rows("SELECT tags FROM series WHERE id = ?", [of])
        return Point(name, newest[0], newest[2], json.loads(found[0]))

    def names(self) -> list[str]:
        return [row[0] for row in self._rows("SELECT DISTINCT name FROM series ORDER BY name")]

    def recent_games(
        self,
        limit: int,
        before: int | None = None,
        *,
        policy: str | None = None,
        won: bool | None = None,
    ) -> list[GameRow]:
        conditions, values = ["TRUE"], list[Any]()
        if before is not None:
            conditions.append("position < ?")
            values.append(before)
        if policy is not None:
            conditions.append("policy = ?")
            values.append(policy)
        if won is not None:
            conditions.append("won" if won else "NOT won")
        return self._games(
            f"WHERE {' AND '.join(conditions)} ORDER BY position DESC LIMIT ?",
            [*values, max(limit, 0)],
        )

    def game(self, game_id: str) -> GameRow | None:
        found = self._games("WHERE game_id = ? ORDER BY position DESC LIMIT 1", [game_id])
        return found[0] if found else None

    def counts(self, kind: Kind) -> list[GameCount]:
        rows = self._rows(
            "SELECT key, games, wins, times FROM counts WHERE kind = ? ORDER BY games DESC, key",
            [kind],
        )
        return [GameCount(*row) for row in rows]

    def clear(self) -> None:
        with self._write_lock, self._explained("write to"):
            writer = self._writing()
            statements = "".join(f"DELETE FROM {table};" for table in _TABLES)
            writer.executescript(f"BEGIN IMMEDIATE; {statements} COMMIT;")
            self._ids.clear()

    def close(self) -> None:
        with self._write_lock, self._readers_lock:
            # The writer last: SQLite folds the WAL into the file when its last user, if it may
            # write, closes.
            for connection in (*(self._readers or []), self._writer):
                if connection is not None:
                    connection.close()
            self._readers = self._writer = None

    def _insert_points(self, writer: sqlite3.Connection, points: Sequence[Point]) -> None:
        if not points:
            return
        (first,) = writer.execute("SELECT next FROM numbers").fetchone()
        rows = [
            (self._series_id(writer, point), point.time, number, float(point.value))
            for number, point in enumerate(points, first)
        ]
        writer.executemany("INSERT INTO points VALUES (?, ?, ?, ?)", rows)
        writer.execute("UPDATE numbers SET next = ?", (first + len(rows),))
        _add_to_minutes(writer, rows)

    def _series_id(self, writer: sqlite3.Connection, point: Point) -> int:
        key = (point.name, *sorted(point.tags.items()))
        known = self._ids.get(key)
        if known is None:
            tags = json.dumps(dict(point.tags), sort_keys=True, separators=(",", ":"))
            series = point.name, tags
            writer.execute("INSERT OR IGNORE INTO series (name, tags) VALUES (?, ?)", series)
            (known,) = writer.execute(
                "SELECT id FROM series WHERE name = ? AND tags = ?", series
            ).fetchone()
            assert known is not None
            self._ids[key] = known
        return known

    def _series(self, name: str, tags: Mapping[str, str] | None) -> list[int]:
        found = self._rows("SELECT id, tags FROM series WHERE name = ?", [name])
        wanted = set((tags or {}).items())
        return [of for of, text in found if wanted <= set(json.loads(text).items())]

    def _buckets(
        self,
        name: str,
        start: int,
        end: int,
        step: int | None,
        how: How,
        tags: Mapping[str, str] | None,
    ) -> list[tuple[int, float]]:
        """Buckets of `step` ms, or without one a single bucket 0."""
        if how not in _AGGREGATE and how not in _PERCENT and how != "last":
            raise SeriesError(
                f"points cannot become one by {how!r}",
                hint=f"Use one of {', '.join([*_AGGREGATE, 'last', *_PERCENT])}",
            )
        series = json.dumps(self._series(name, tags))
        bucket = "0" if step is None else f"time - time % {int(step)}"
        if how in _PERCENT:
            return self._rows(
                f"""
                SELECT bucket, value FROM (
                    SELECT bucket, value,
                        row_number() OVER (PARTITION BY bucket ORDER BY value) AS rank,
                        count(*) OVER (PARTITION BY bucket) AS points
                    FROM (
                        SELECT {bucket} AS bucket, value FROM points
                        WHERE series IN (SELECT value FROM json_each(?)) AND time >= ? AND time < ?
                    )
                )
                WHERE rank = (points * ? + 99) / 100 ORDER BY bucket
                """,
                [series, start, end, _PERCENT[how]],
            )
        rows, values = _rows_between(series, start, end, step)
        if how == "last":
            return self._rows(
                f"""
                SELECT bucket, last FROM (
                    SELECT {bucket} AS bucket, last, row_number() OVER (
                        PARTITION BY {bucket} ORDER BY last_time DESC, last_number DESC
                    ) AS rank
                    FROM ({rows})
                )
                WHERE rank = 1 ORDER BY bucket
                """,
                values,
            )
        found = self._rows(
            f"SELECT {bucket} AS bucket, CAST({_AGGREGATE[how]} AS REAL) FROM ({rows})"
            " GROUP BY bucket ORDER BY bucket",
            values,
        )
        return [(time, _finite(value)) for time, value in found]

    def _games(self, which: str, values: Sequence[Any]) -> list[GameRow]:
        rows = self._rows(f"SELECT {_GAME_COLUMNS} FROM games {which}", values)
        try:
            return [_game_row(row) for row in rows]
        except ValueError as error:
            raise self._damaged(str(error)) from error

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._explained("read"), self._reading() as reader:
            return reader.execute(query, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with, which nobody else has meanwhile."""
        with self._readers_lock:
            if self._readers is None:
                raise self._not_open()
            reader = self._readers.pop() if self._readers else None
        reader = reader or self._connect("ro")
        try:
            yield reader
        finally:
            with self._readers_lock:
                if self._readers is None or len(self._readers) >= _IDLE_READERS:
                    reader.close()
                else:
                    self._readers.append(reader)

    def _writing(self) -> sqlite3.Connection:
        if self._writer is None:
            raise self._not_open()
        return self._writer

    def _not_open(self) -> SeriesError:
        state = "closed" if self._readers is None else "open for reading only"
        return SeriesError(f"the series store {self.path} is {state}")

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
            writer.execute("PRAGMA synchronous = NORMAL")
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
            if not missing_ok:
                raise self._missing() from None
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return
        if not start and not missing_ok:
            raise self._missing()
        if start and start != b"SQLite format 3\x00":
            raise SeriesError(
                f"{self.path} is not a series store: it is no SQLite file",
                hint="Move it away; a new one is filled from the event log",
            )

    def _check_content(self, connection: sqlite3.Connection) -> None:
        if _is_empty(connection):
            raise self._missing()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise SeriesError(
                f"{self.path} is not a series store: another program's SQLite file",
                hint="Move it away; a new one is filled from the event log",
            )
        if version > SCHEMA_VERSION:
            raise SeriesError(
                f"{self.path} was written by a newer JimBot"
                f" (schema {version}, this one knows {SCHEMA_VERSION})",
                hint="Run the JimBot that wrote it, or a newer one; it was left as it is",
            )
        if self.path.stat().st_size <= _CHECKED_WHOLE:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise self._damaged(str(found).splitlines()[-1])

    def _missing(self) -> SeriesMissing:
        return SeriesMissing(
            f"there is no series store at {self.path} yet",
            hint="Start analytics, or run: jimbot init-db",
        )

    def _damaged(self, what: str) -> SeriesError:
        return SeriesError(
            f"the series store {self.path} is damaged: {what}",
            hint="Stop JimBot and move it away; a new one is filled from the event log",
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
            raise SeriesError(
                f"cannot {verb} the series store {self.path}: {error}", hint=_hint(name)
            ) from error
        except OSError as error:
            raise SeriesError(
                f"cannot {verb} the series store {self.path}: {error.strerror}",
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


def _finite(value: float) -> float:
    """A sum of what a float still holds (a best hand in endless play) may not; no chart has inf."""
    return max(-sys.float_info.max, min(value, sys.float_info.max))


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def _position(connection: sqlite3.Connection, projection: str) -> int:
    row = connection.execute(
        "SELECT position FROM positions WHERE projection = ?", (projection,)
    ).fetchone()
    return 0 if row is None else int(row[0])


def _rows_between(series: str, start: int, end: int, step: int | None) -> tuple[str, list[Any]]:
    """A query, with its values, for all between two times in rows shaped like `minutes`.

    Whole minutes come from `minutes`; raw points fill the ends, or everything when buckets are
    no whole minutes.
    """
    raw = (
        "SELECT time, 1 AS points, value AS sum, value AS min, value AS max,"
        " time AS last_time, number AS last_number, value AS last FROM points"
        " WHERE series IN (SELECT value FROM json_each(?)) AND time >= ? AND time < ?"
    )
    first, last = -(-start // MINUTE) * MINUTE, end // MINUTE * MINUTE
    if (step is not None and step % MINUTE) or first >= last:
        return raw, [series, start, end]
    whole = (
        "SELECT time, points, sum, min, max, last_time, last_number, last FROM minutes"
        " WHERE series IN (SELECT value FROM json_each(?)) AND time >= ? AND time < ?"
    )
    parts = [(start, first, raw), (first, last, whole), (last, end, raw)]
    parts = [part for part in parts if part[0] < part[1]]
    values = [value for begin, until, _ in parts for value in (series, begin, until)]
    return " UNION ALL ".join(query for _, _, query in parts), values


def _add_to_minutes(
    writer: sqlite3.Connection, rows: Iterable[tuple[int, int, int, float]]
) -> None:
    """Add points `(series, time, number, value)` to their minutes, one after the other.

    One after the other also across batches, so that sums do not depend on how points were batched.
    """
    minutes: dict[tuple[int, int], list[Any]] = {}
    for series, time, number, value in rows:
        key = series, time - time % MINUTE
        minute = minutes.get(key)
        if minute is None:
            found = writer.execute(
                f"SELECT {_MINUTE_COLUMNS} FROM minutes WHERE series = ? AND time = ?", key
            ).fetchone()
            if found is None:
                minutes[key] = [*key, 1, value, value, value, time, number, value]
                continue
            minute = minutes[key] = list(found)
        minute[2] += 1
        minute[3] = _finite(minute[3] + value)
        if value < minute[4]:
            minute[4] = value
        if value > minute[5]:
            minute[5] = value
        if time >= minute[6]:
            minute[6:] = time, number, value
    writer.executemany(
        f"INSERT OR REPLACE INTO minutes ({_MINUTE_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)",
        minutes.values(),
    )


def _insert_games(writer: sqlite3.Connection, games: Sequence[GameRow]) -> None:
    if not games:
        return
    rows = [
        (*game[:-3], json.dumps(game.jokers), json.dumps(game.hands), game.recorded)
        for game in games
    ]
    marks = ",".join("?" * len(GameRow._fields))
    writer.executemany(f"INSERT INTO games ({_GAME_COLUMNS}) VALUES ({marks})", rows)
    counts: dict[tuple[Kind, str], list[int]] = {}
    for game in games:
        for kind, key, times in _counted(game):
            count = counts.setdefault((kind, key), [0, 0, 0])
            count[0] += 1
            count[1] += game.won
            count[2] += times
    writer.executemany(
        "INSERT INTO counts VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET"
        " games = games + excluded.games, wins = wins + excluded.wins,"
        " times = times + excluded.times",
        [(*key, *count) for key, count in counts.items()],
    )


def _counted(game: GameRow) -> Iterator[tuple[Kind, str, int]]:
    """What a game is counted under, with how many times it had it."""
    yield "policy", game.policy, 1
    yield "deck", game.deck, 1
    yield "stake", game.stake, 1
    for joker in set(game.jokers):
        yield "joker", joker, game.jokers.count(joker)
    for hand, played in game.hands.items():
        if played > 0:
            yield "hand", hand, played


def _game_row(row: tuple[Any, ...]) -> GameRow:
    game = GameRow(*row)
    return game._replace(
        won=bool(game.won),
        jokers=tuple(json.loads(str(game.jokers))),
        hands=json.loads(str(game.hands)),
        recorded=bool(game.recorded),
    )
