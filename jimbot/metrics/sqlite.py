"""The embedded series store: one SQLite file in WAL mode.

One process writes (analytics), others may read the same file meanwhile. Beside the raw points the
store keeps one row a series and minute and one a series and hour, written in the same transaction;
questions in whole minutes or hours are answered from these, so a chart over months reads thousands
of rows, not millions. Raw points and minutes are kept for days (`retain`), hours for a year.
Percentiles come from sketches, one an hour, and one a day for days that are over.
"""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from jimbot.metrics import sketch
from jimbot.metrics.games import GameCount, GameRow, Kind
from jimbot.metrics.series import PROJECTION, How, Keep, Point, SeriesError, SeriesMissing
from jimbot.sqlite import FileKind, SQLiteFile

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

_FIRST = """
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
"""

# The hours cannot be made from the minutes, so all is folded again from the event log.
_HOURS = """
CREATE TABLE hours (
    series      INTEGER NOT NULL,
    time        INTEGER NOT NULL,
    points      INTEGER NOT NULL,
    sum         REAL NOT NULL,
    min         REAL NOT NULL,
    max         REAL NOT NULL,
    last_time   INTEGER NOT NULL,
    last_number INTEGER NOT NULL,
    last        REAL NOT NULL,
    sketch      BLOB NOT NULL,
    PRIMARY KEY (series, time)
) STRICT, WITHOUT ROWID;
-- From when on a resolution is whole; before, only coarser ones are.
CREATE TABLE kept (resolution TEXT PRIMARY KEY, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX games_by_time ON games (time);
DELETE FROM points;
DELETE FROM minutes;
DELETE FROM series;
DELETE FROM games;
DELETE FROM counts;
DELETE FROM positions;
"""

_SPOOL = """
-- Points that are to go to a server (jimbot.metrics.questdb); empty where this file keeps them.
CREATE TABLE spool (
    number INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    value  REAL NOT NULL
) STRICT;
CREATE TABLE server (address TEXT PRIMARY KEY) STRICT;
"""

_SKETCHES = """
-- Apart from the hours, whose rows they would make long and slow to read.
CREATE TABLE sketches (
    series INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    sketch BLOB NOT NULL,
    PRIMARY KEY (series, time)
) STRICT;
INSERT INTO sketches SELECT series, time, sketch FROM hours;
ALTER TABLE hours DROP COLUMN sketch;
"""

_DAYS = """
-- Made by `retain` from the hours of days that are over, so that no write pays for them.
CREATE TABLE day_sketches (
    series INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    sketch BLOB NOT NULL,
    PRIMARY KEY (series, time)
) STRICT;
-- Until when they are made; whatever comes late for a day before is added to it.
CREATE TABLE folded (until INTEGER NOT NULL) STRICT;
INSERT INTO folded VALUES (0);
"""

KIND = FileKind(
    name="series store",
    article="a",
    application_id=0x4A42534D,  # "JBSM"
    migrations=(_FIRST, _HOURS, _SPOOL, _SKETCHES, _DAYS),
    durable=False,
    error=SeriesError,
    missing=SeriesMissing,
    rescue="move it away; a new one is filled from the event log",
    make="Start analytics",
)

_ROLLED = "series, time, points, sum, min, max, last_time, last_number, last"
_GAME_COLUMNS = ", ".join(GameRow._fields)
_TABLES = (
    "spool",
    "sketches",
    "day_sketches",
    "points",
    "minutes",
    "hours",
    "series",
    "games",
    "counts",
    "positions",
    "kept",
    "server",
)
_REMOVED_AT_A_TIME = 20_000

EXACT = 20_000
"""Percentiles of at most so many points, all kept raw, are exact; others are within 1 %."""

Resolution = Literal["points", "minutes", "hours"]
_UNIT: dict[Resolution, int] = {"points": 1, "minutes": MINUTE, "hours": HOUR}
_FINER: dict[Resolution, Resolution] = {"hours": "minutes", "minutes": "points"}

# What one bucket is, from rows shaped like those of `minutes`.
_AGGREGATE: dict[How, str] = {
    "sum": "sum(sum)",
    "count": "sum(points)",
    "mean": "sum(sum) / sum(points)",
    "min": "min(min)",
    "max": "max(max)",
}
PERCENT: dict[How, int] = {"p50": 50, "p95": 95, "p99": 99}


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
        self._file = SQLiteFile(path, KIND, read_only=read_only)
        self._rows = self._file.rows
        self._ids: dict[tuple[Any, ...], int] = {}
        self._others = 0  # changes by other connections, as of the last write

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
        try:
            with self._file.transaction() as writer:
                if after is not None and (at := _position(writer, projection)) != after:
                    raise SeriesError(
                        f"{projection} is at position {at} of the log, not at {after}",
                        hint="Something else writes to this store; stop it, then go on from there",
                    )
                (others,) = writer.execute("PRAGMA data_version").fetchone()
                if others != self._others:  # who may have cleared it: ids are then of nothing
                    self._ids.clear()
                    self._others = others
                self._insert_points(writer, points)
                _insert_games(writer, games)
                if position is not None:
                    writer.execute(
                        "INSERT INTO positions VALUES (?, ?)"
                        " ON CONFLICT (projection) DO UPDATE SET position = excluded.position",
                        (projection, position),
                    )
        except BaseException:
            # Ids that were given out in this transaction are gone with it.
            self._ids.clear()
            raise

    def position(self, projection: str = PROJECTION) -> int:
        with self._file.reading() as reader:
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
            # The last point of the last hour: raw points may be gone.
            rows = self._rows(
                "SELECT last_time, last_number, last FROM hours WHERE series = ?"
                " ORDER BY time DESC LIMIT 1",
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

    def retain(self, now: int, keep: Keep) -> int:
        whole = {
            resolution: (now - span) // HOUR * HOUR
            for resolution, span in {"points": keep.raw, "minutes": keep.minutes}.items()
        }
        with self._file.transaction() as writer:
            # Said before anything is gone: from here on nobody looks there.
            writer.executemany(
                "INSERT INTO kept VALUES (?, ?) ON CONFLICT (resolution) DO UPDATE SET"
                " since = max(since, excluded.since)",
                whole.items(),
            )
        self._fold_days(now // DAY * DAY)
        hours = (now - keep.hours) // DAY * DAY
        limits = {**whole, "hours": hours, "sketches": hours, "day_sketches": hours}
        removed = 0
        for (series,) in self._rows("SELECT id FROM series"):
            for table, limit in limits.items():
                key = "series, time, number" if table == "points" else "series, time"
                removed += self._remove(
                    f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table}"
                    " WHERE series = ? AND time < ? LIMIT ?)",
                    (series, limit),
                )
        removed += self._remove(
            "DELETE FROM games WHERE position IN"
            " (SELECT position FROM games WHERE time < ? LIMIT ?)",
            (now - keep.games,),
        )
        return removed

    def copy(self, to: Path) -> None:
        self._file.copy(to)

    def clear(self) -> None:
        with self._file.transaction() as writer:
            for table in _TABLES:
                writer.execute(f"DELETE FROM {table}")
            writer.execute("UPDATE folded SET until = 0")
            self._ids.clear()

    def close(self) -> None:
        self._file.close()

    def _remove(self, statement: str, values: tuple[int, ...]) -> int:
        """Remove in small transactions, so that writers get their turn."""
        removed = 0
        while True:
            with self._file.transaction() as writer:
                found = writer.execute(statement, (*values, _REMOVED_AT_A_TIME)).rowcount
            removed += found
            if found < _REMOVED_AT_A_TIME:
                return removed

    def _fold_days(self, until: int) -> None:
        """Make the sketches of all whole days before `until` that are not made yet."""
        ((first,),) = self._rows(
            "SELECT min((SELECT min(time) FROM sketches WHERE series = id AND time >= until))"
            " FROM series, folded"
        )
        for day in range((until if first is None else first) // DAY * DAY, until, DAY):
            with self._whole_sketches(), self._file.transaction() as writer:
                parts: dict[int, list[bytes]] = defaultdict(list)
                for series, data in writer.execute(
                    "SELECT id, sketch FROM series JOIN sketches ON series = id"
                    " WHERE time >= ? AND time < ?",
                    (day, day + DAY),
                ):
                    parts[series].append(data)
                writer.executemany(
                    "INSERT OR REPLACE INTO day_sketches VALUES (?, ?, ?)",
                    [(series, day, sketch.together(found)) for series, found in parts.items()],
                )
                writer.execute("UPDATE folded SET until = ?", (day + DAY,))

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
        with self._whole_sketches():
            _roll_up(writer, rows)

    @contextmanager
    def _whole_sketches(self) -> Iterator[None]:
        """Name the file where one of its sketches is none."""
        try:
            yield
        except ValueError as error:
            raise self._file.damaged(str(error)) from error

    def _series_id(self, writer: sqlite3.Connection, point: Point) -> int:
        key = (point.name, *point.tags.items())
        known = self._ids.get(key)
        if known is None:
            tags = json.dumps(dict(point.tags), sort_keys=True, separators=(",", ":"))
            series = point.name, tags
            # No id is given twice, as no number of a point is: what a server still has of a series
            # that was cleared is then nobody's.
            writer.execute(
                "INSERT OR IGNORE INTO series (id, name, tags)"
                " SELECT max(next, 1 + (SELECT coalesce(max(id), 0) FROM series)), ?, ?"
                " FROM numbers",
                series,
            )
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
        check_how(how)
        series = json.dumps(self._series(name, tags))
        bucket = _bucket_of(step)
        kept: dict[str, int] = dict(self._rows("SELECT resolution, since FROM kept"))
        parts = _parts(start, end, step, kept)
        if not parts:
            return []
        if how in PERCENT:
            columns = f"{bucket} AS bucket, sum(points), min(min), max(max)"
            seen = self._rows(*_rolled(columns, series, parts, end="GROUP BY bucket"))
            if sum(row[1] for row in seen) > EXACT or start < kept.get("points", start):
                extremes = {row[0]: (row[2], row[3]) for row in seen}
                return self._sketched(series, start, end, step, kept, PERCENT[how], extremes)
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
                [series, start, end, PERCENT[how]],
            )
        if how == "last":
            return self._rows(
                *_rolled(
                    "bucket, last",
                    series,
                    parts,
                    f"""
                    SELECT {bucket} AS bucket, last, row_number() OVER (
                        PARTITION BY {bucket} ORDER BY last_time DESC, last_number DESC
                    ) AS rank FROM
                    """,
                    "WHERE rank = 1 ORDER BY bucket",
                )
            )
        found = self._rows(
            *_rolled(
                f"{bucket} AS bucket, CAST({_AGGREGATE[how]} AS REAL)",
                series,
                parts,
                end="GROUP BY bucket ORDER BY bucket",
            )
        )
        return [(time, finite(value)) for time, value in found]

    def _sketched(
        self,
        series: str,
        start: int,
        end: int,
        step: int | None,
        kept: Mapping[str, int],
        percent: int,
        extremes: Mapping[int, tuple[float, float]],
    ) -> list[tuple[int, float]]:
        """Percentiles from the sketches of whole hours and, beside those, from raw points."""
        sketches: dict[int, list[bytes]] = defaultdict(list)
        raw: dict[int, list[float]] = defaultdict(list)
        whole = {"points": kept.get("points", 0), "minutes": kept.get("points", 0)}
        ((folded,),) = self._rows("SELECT until FROM folded")
        of_bucket = _bucket_of(step)
        among = "series IN (SELECT value FROM json_each(?)) AND time >= ? AND time < ?"
        for begin, until, table in _parts(start, end, step, whole, skip_minutes=True):
            if table == "hours":
                for since, to, kind in _sketches(begin, until, step, folded):
                    for bucket, data in self._rows(
                        f"SELECT {of_bucket}, sketch FROM {kind} WHERE {among}",
                        [series, since, to],
                    ):
                        sketches[bucket].append(data)
                continue
            for bucket, value in self._rows(
                f"SELECT {of_bucket}, value FROM points WHERE {among}", [series, begin, until]
            ):
                raw[bucket].append(value)
        answers = []
        for bucket in sorted({*sketches, *raw} & extremes.keys()):  # not what came meanwhile
            values = raw[bucket]
            if bucket not in sketches:
                values.sort()
                answers.append((bucket, values[-(-len(values) * percent // 100) - 1]))
                continue
            if values:
                sketches[bucket].append(sketch.encode(sketch.of(values)))
            with self._whole_sketches():
                found = sketch.percentile(sketches[bucket], percent, *extremes[bucket])
            answers.append((bucket, found))
        return answers

    def _games(self, which: str, values: Sequence[Any]) -> list[GameRow]:
        rows = self._rows(f"SELECT {_GAME_COLUMNS} FROM games {which}", values)
        try:
            return [_game_row(row) for row in rows]
        except ValueError as error:
            raise self._file.damaged(str(error)) from error


def check_how(how: str) -> None:
    if how not in _AGGREGATE and how not in PERCENT and how != "last":
        raise SeriesError(
            f"points cannot become one by {how!r}",
            hint=f"Use one of {', '.join([*_AGGREGATE, 'last', *PERCENT])}",
        )


def finite(value: float) -> float:
    """A sum of what a float still holds (a best hand in endless play) may not; no chart has inf."""
    return max(-sys.float_info.max, min(value, sys.float_info.max))


def _position(connection: sqlite3.Connection, projection: str) -> int:
    row = connection.execute(
        "SELECT position FROM positions WHERE projection = ?", (projection,)
    ).fetchone()
    return 0 if row is None else int(row[0])


def _bucket_of(step: int | None) -> str:
    """The bucket of a row with a `time`, in SQL."""
    return "0" if step is None else f"time - time % {int(step)}"


Part = tuple[int, int, Resolution]


def _parts(
    start: int,
    end: int,
    step: int | None,
    kept: Mapping[str, int],
    *,
    skip_minutes: bool = False,
) -> list[Part]:
    """Where to read all between two times: the coarsest rows that fit into buckets of `step`.

    Before the time from which on a resolution is kept, coarser rows stand in, each at its
    beginning.
    """
    raw, minutes = kept.get("points"), kept.get("minutes")
    allowed: Resolution = (
        "hours"
        if step is None or step % HOUR == 0
        else "minutes"
        if step % MINUTE == 0 and not skip_minutes
        else "points"
    )
    parts: list[Part] = []

    def split(begin: int, until: int, coarse: Resolution, fine: Resolution) -> None:
        if begin >= until:
            return
        unit = _UNIT[coarse]
        first, last = -(-begin // unit) * unit, until // unit * unit
        if coarse == fine:
            parts.append((begin, until, coarse))
            return
        finer: Resolution = "points" if skip_minutes else _FINER[coarse]
        if first >= last:
            split(begin, until, finer, fine)
            return
        split(begin, first, finer, fine)
        parts.append((first, last, coarse))
        split(last, until, finer, fine)

    hours_until = end if minutes is None else min(minutes, end)
    if minutes is not None:
        split(start, hours_until, "hours", "hours")
        start = max(start, minutes)
    if raw is not None and not skip_minutes:
        split(start, min(raw, end), "hours" if allowed == "hours" else "minutes", "minutes")
        start = max(start, raw)
    split(start, end, allowed, "points")
    return parts


def _sketches(
    start: int, end: int, step: int | None, folded: int
) -> Iterator[tuple[int, int, Literal["sketches", "day_sketches"]]]:
    """Which sketches stand for whole hours: those of days where they are made and fit."""
    first, last = -(-start // DAY) * DAY, min(end, folded) // DAY * DAY
    if first >= last or (step is not None and step % DAY):
        yield start, end, "sketches"
        return
    yield start, first, "sketches"
    yield first, last, "day_sketches"
    yield last, end, "sketches"


def _rolled(
    columns: str, series: str, parts: Sequence[Part], begin: str = "", end: str = ""
) -> tuple[str, list[Any]]:
    """A query over all rows of `parts` in the shape of `minutes`, and its values."""
    selects, values = [], list[Any]()
    for since, until, table in parts:
        row = (
            "time, 1 AS points, value AS sum, value AS min, value AS max,"
            " time AS last_time, number AS last_number, value AS last"
            if table == "points"
            else "time, points, sum, min, max, last_time, last_number, last"
        )
        selects.append(
            f"SELECT {row} FROM {table}"
            " WHERE series IN (SELECT value FROM json_each(?)) AND time >= ? AND time < ?"
        )
        values += [series, since, until]
    rows = " UNION ALL ".join(selects) or "SELECT 0 AS time, 0 AS points WHERE FALSE"
    inner = f"{begin} ({rows})" if begin else rows
    return f"SELECT {columns} FROM ({inner}) {end}", values


def _roll_up(writer: sqlite3.Connection, rows: Sequence[tuple[int, int, int, float]]) -> None:
    """Add points `(series, time, number, value)` to their minutes and hours.

    One after the other also across batches, so that sums do not depend on how points were batched.
    """
    (folded,) = writer.execute("SELECT until FROM folded").fetchone()
    for table, unit in (("minutes", MINUTE), ("hours", HOUR)):
        groups: dict[tuple[int, int], list[tuple[int, int, int, float]]] = {}
        for point in rows:
            key = point[0], point[1] - point[1] % unit
            if (group := groups.get(key)) is None:
                groups[key] = [point]
            else:
                group.append(point)
        rolled = []
        for key, group in groups.items():
            values = [point[3] for point in group]
            last = max(group)[1:]  # of one series: by time, then by number
            found = writer.execute(
                f"SELECT * FROM {table} WHERE series = ? AND time = ?", key
            ).fetchone()
            kept = found or (*key, 0, 0.0, values[0], values[0], *last)
            rolled.append(
                (
                    *key,
                    kept[2] + len(values),
                    finite(sum(values, kept[3])),
                    min(kept[4], *values),
                    max(kept[5], *values),
                    *max(last, kept[6:9]),
                )
            )
            if table == "hours":
                _add_to_sketch(writer, "sketches", key, values)
                if key[1] < folded:
                    day = key[0], key[1] - key[1] % DAY
                    _add_to_sketch(writer, "day_sketches", day, values)
        writer.executemany(
            f"INSERT OR REPLACE INTO {table} ({_ROLLED}) VALUES (?,?,?,?,?,?,?,?,?)", rolled
        )


def _add_to_sketch(
    writer: sqlite3.Connection, table: str, key: tuple[int, int], values: Sequence[float]
) -> None:
    found = writer.execute(
        f"SELECT sketch FROM {table} WHERE series = ? AND time = ?", key
    ).fetchone()
    buckets = sketch.of(values)
    buckets.update(sketch.decode(found[0]) if found else {})
    writer.execute(
        f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)", (*key, sketch.encode(buckets))
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
