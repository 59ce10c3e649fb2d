"""The series on a server: points in QuestDB, all else in the file beside it.

A write goes to the file: positions, games, and the points into its spool, in one transaction, so
that it is exactly-once whether QuestDB is there or not. From the spool the points go out over
ILP/HTTP, on time or on size; a point sent again replaces itself (`DEDUP UPSERT KEYS`). A point that
QuestDB refuses is set aside there, so that it holds up no other. QuestDB keeps raw points for as
long as the table keeps hours, so it needs no rows for minutes and hours.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from jimbot.breaker import Breaker
from jimbot.errors import MissingExtra
from jimbot.metrics.series import How, Keep, Point, SeriesError
from jimbot.metrics.sqlite import PERCENT, SQLiteSeries, check_how, finite

_log = logging.getLogger(__name__)

TABLE = "jimbot_points"
FLUSH_S, FLUSH_POINTS = 1.0, 10_000
_LONGEST_PAUSE_S = 60.0
_HELD_S = 2.0  # less than other processes wait for the file
_LAST_TIME = (1 << 63) // 1_000_000 - 1  # ms; in nanoseconds no later one fits (the year 2262)
_LAYOUT = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (name SYMBOL, tags SYMBOL, series LONG, ms LONG,"
    " number LONG, value DOUBLE, time TIMESTAMP) TIMESTAMP(time) PARTITION BY DAY WAL"
    " DEDUP UPSERT KEYS(time, number)"
)
_AGGREGATE = {
    "sum": "sum(value)",
    "count": "count(*)",
    "mean": "avg(value)",
    "min": "min(value)",
    "max": "max(value)",
}


class _Away(Exception):
    """QuestDB did not answer, or said that it cannot now."""


class _NotAsked(_Away):
    """It was away a moment ago."""


class _Refused(Exception):
    """Something is wrong with a point of those that were to be sent, or they are too many."""


class QuestDBSeries(SQLiteSeries):
    """A `SeriesStore` with its points at `address` (`http://host:port`), the rest in `path`.

    Questions raise SeriesError while the server is away; writes do not, until the disk is full.

    Raises:
        MissingExtra: the client is not installed.
        SeriesError: the file cannot be used. A server that is away is no reason not to start.
    """

    def __init__(
        self,
        path: Path,
        address: str,
        *,
        user: str = "",
        password: str = "",
        timeout_s: float = 5.0,
        breaker_failures: int = 3,
        breaker_open_s: float = 10.0,
        read_only: bool = False,
    ) -> None:
        try:
            import questdb
        except ImportError:
            raise MissingExtra("questdb", "databases") from None
        self._questdb = questdb
        self.address = address
        self._timeout_s = timeout_s
        url = urlsplit(address)
        self._sender_conf = (
            f"{url.scheme}::addr={url.netloc};auto_flush=off;protocol_version=1;"
            f"request_timeout={round(timeout_s * 1000)};retry_timeout=0;"
        )
        self._login = {"username": user, "password": password} if user else {}
        self._http = httpx.Client(
            base_url=address, timeout=timeout_s, auth=(user, password) if user else None
        )
        self._breaker = Breaker(
            breaker_failures,
            breaker_open_s,
            refuse=lambda left: _NotAsked(f"asked again in {left:.0f} s"),
            failed=(_Away,),
        )
        self._flush_lock = threading.Lock()
        self._at_once = FLUSH_POINTS
        self._trouble = ""  # why the flusher could not empty the spool
        self._refused: set[str] = set()  # names of points; one of each is in the log
        self._waiting = threading.Event()
        self._stop = threading.Event()
        self._flusher: threading.Thread | None = None
        self._read_only = read_only
        super().__init__(path, read_only)
        if not read_only:
            self._flusher = threading.Thread(target=self._flush_often, name="questdb", daemon=True)
            self._flusher.start()

    def ping(self) -> None:
        """Ask the server for nothing.

        Raises:
            SeriesError: it is away, or points of this process do not get there, or it has refused
                some.
        """
        self._exec("SELECT 1")
        if self._trouble:
            raise self._not_sent(self._trouble)
        if refused := self.set_aside():
            raise SeriesError(
                f"QuestDB at {self.address} does not take {refused:,} points, which are set aside",
                hint="See the log of analytics for why; then run: jimbot db rebuild metrics",
            )

    def spooled(self) -> int:
        """How many points wait for the server."""
        return int(self._rows("SELECT count(*) FROM spool WHERE number > 0")[0][0])

    def set_aside(self) -> int:
        """How many points the server has refused; they stay in the spool, below 0."""
        return int(self._rows("SELECT count(*) FROM spool WHERE number < 0")[0][0])

    def flush(self) -> None:
        """Send what is spooled, and wait until the server shows it.

        Raises:
            SeriesError: the server is away, or something unforeseen is wrong; what is left stays
                spooled.
        """
        if self._read_only:
            return  # whoever writes sends them
        try:
            while self._send():
                pass
        except _Away as error:
            raise self._is_away(error) from error
        except SeriesError:
            raise
        except Exception as error:
            raise self._not_sent(repr(error)) from error
        self._trouble = ""

    def latest(self, name: str, *, tags: Mapping[str, str] | None = None) -> Point | None:
        ids = self._series(name, tags)
        rows = self._ask(
            ids, "ms, number, value, tags", "", "ORDER BY ms DESC, number DESC LIMIT 1"
        )
        if not rows:
            return None
        return Point(name, rows[0][0], rows[0][2], json.loads(rows[0][3]))

    def retain(self, now: int, keep: Keep) -> int:
        removed = super().retain(now, keep)
        self.flush()
        if not self._rows("SELECT 1 FROM server WHERE address = ?", [self.address]):
            return removed  # there was never anything to send
        limit = (now - keep.hours) * 1000
        try:
            self._exec(f"ALTER TABLE {TABLE} DROP PARTITION WHERE time < {limit}")
        except SeriesError as error:
            if "no partitions matched" not in error.message:
                raise
        return removed

    def clear(self) -> None:
        with self._flush_lock:
            super().clear()
            try:
                with self._breaker.calling():
                    self._prepare()
            except _Away:
                pass  # its points are nobody's now; they go before the next ones come

    def close(self) -> None:
        self._stop.set()
        self._waiting.set()
        if self._flusher is not None:
            self._flusher.join(2 * self._timeout_s)
            self._flusher = None
        self._http.close()
        super().close()

    def _insert_points(self, writer: sqlite3.Connection, points: Sequence[Point]) -> None:
        if not points:
            return
        (first,) = writer.execute("SELECT next FROM numbers").fetchone()
        writer.executemany(
            "INSERT INTO spool VALUES (?, ?, ?, ?)",
            [
                (number, self._series_id(writer, point), point.time, float(point.value))
                for number, point in enumerate(points, first)
            ],
        )
        writer.execute("UPDATE numbers SET next = ?", (first + len(points),))
        if len(points) >= FLUSH_POINTS:
            self._waiting.set()

    def _buckets(
        self,
        name: str,
        start: int,
        end: int,
        step: int | None,
        how: How,
        tags: Mapping[str, str] | None,
    ) -> list[tuple[int, float]]:
        check_how(how)
        ids = self._series(name, tags)
        bucket = "0" if step is None else f"ms - ms % {int(step)}"
        among = f"AND ms >= {int(start)} AND ms < {int(end)}"
        if how in _AGGREGATE:
            rows = self._ask(
                ids,
                f"{bucket} AS bucket, {_AGGREGATE[how]} AS v",
                among,
                "GROUP BY bucket ORDER BY bucket",
            )
            return [(at, finite(_number(value))) for at, value in rows]
        order = "ms, number" if how == "last" else "value"
        rows = self._ask(ids, f"{bucket} AS bucket, value", among, f"ORDER BY bucket, {order}")
        found = []
        for at, group in groupby(rows, key=lambda row: int(row[0])):
            values = [float(row[1]) for row in group]
            rank = len(values) if how == "last" else -(-len(values) * PERCENT[how] // 100)
            found.append((at, values[rank - 1]))
        return found

    def _ask(self, series: Sequence[int], columns: str, among: str, end: str) -> list[list[Any]]:
        if not series:
            return []
        self.flush()
        ids = ", ".join(map(str, series))
        return self._exec(f"SELECT {columns} FROM {TABLE} WHERE series IN ({ids}) {among} {end}")

    def _exec(self, sql: str) -> list[list[Any]]:
        try:
            with self._breaker.calling():
                return self._call(sql)
        except _Away as error:
            raise self._is_away(error) from error

    def _call(self, sql: str, limit_s: float | None = None) -> list[list[Any]]:
        timeout = limit_s or self._timeout_s
        try:
            response = self._http.get("/exec", params={"query": sql}, timeout=timeout)
            if response.status_code in (401, 403):
                raise _Away(f"{response.status_code} {response.reason_phrase}")
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise _Away(str(error) or type(error).__name__) from error
        if response.status_code >= 500:
            raise _Away(f"{response.status_code} {answer.get('error', '')}")
        if "error" in answer:
            raise SeriesError(f"QuestDB refused a question: {answer['error']} ({sql[:80]})")
        rows: list[list[Any]] = answer.get("dataset", [])
        return rows

    def _flush_often(self) -> None:
        pause_s = FLUSH_S
        while not self._stop.is_set():
            self._waiting.wait(FLUSH_S)
            self._waiting.clear()
            try:
                while not self._stop.is_set() and self._send():
                    pass
                self._trouble, pause_s = "", FLUSH_S
            except _NotAsked:
                pass  # as it was said
            except (_Away, SeriesError) as error:
                if self._trouble != (trouble := str(error)):
                    _log.warning("points wait for QuestDB", extra={"fields": {"error": trouble}})
                self._trouble = trouble
            except Exception as error:  # a thread that dies sends nothing any more
                if self._trouble != (trouble := repr(error)):
                    _log.exception("points wait for QuestDB", extra={"fields": {"error": trouble}})
                self._trouble = trouble
                self._stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _send(self) -> bool:
        """Send one batch and wait until it can be read; whether there was one."""
        with self._flush_lock:
            rows = self._rows(
                "SELECT spool.number, spool.series, spool.time, value, name, tags FROM spool"
                " JOIN series ON series.id = spool.series WHERE spool.number > 0"
                " ORDER BY spool.number LIMIT ?",
                [self._at_once],
            )
            if not rows:
                return False
            done = "DELETE FROM spool WHERE number > 0 AND number <= ?"
            with self._breaker.calling():
                self._prepare()
                try:
                    self._send_rows(rows)
                    self._await(rows[-1])
                    self._at_once = min(2 * self._at_once, FLUSH_POINTS)
                except _Refused as error:
                    if len(rows) > 1:  # halved until the one is alone
                        self._at_once = len(rows) // 2
                        return True
                    if (name := rows[0][4]) not in self._refused:
                        self._refused.add(name)
                        fields = {"error": str(error), "point": name, "ms": rows[0][2]}
                        _log.error("QuestDB refuses a point", extra={"fields": fields})
                    done = "UPDATE spool SET number = -number WHERE number = ?"
            with self._file.transaction() as writer:
                writer.execute(done, (rows[-1][0],))
            return True

    def _prepare(self) -> None:
        """Lay the table out, and empty it of what is not from this file as it is now."""
        known = "SELECT 1 FROM server WHERE address = ?", (self.address,)
        if self._rows(*known):
            return
        self._call(_LAYOUT)
        # Within a transaction: another process that empties it too must not take what came since.
        with self._file.transaction() as writer:
            if not writer.execute(*known).fetchone():
                self._call(f"TRUNCATE TABLE {TABLE}", min(self._timeout_s, _HELD_S))
                writer.execute("INSERT INTO server VALUES (?)", (self.address,))

    def _send_rows(self, rows: Sequence[tuple[Any, ...]]) -> None:
        nanos = self._questdb.TimestampNanos
        try:
            with self._questdb.Sender.from_conf(self._sender_conf, **self._login) as sender:
                for number, series, at, value, name, tags in rows:
                    sender.row(
                        TABLE,
                        symbols={"name": name, "tags": tags},
                        columns={"series": series, "ms": at, "number": number, "value": value},
                        # Questions are answered by `ms`; this is the partition's.
                        at=nanos(max(0, min(at, _LAST_TIME)) * 1_000_000),
                    )
                sender.flush()
        except self._questdb.QuestDBError as error:
            # By the client, which finds the batch too large, or by the server, over what is in it.
            too_large = error.code == self._questdb.QuestDBErrorCode.InvalidApiCall
            refused = too_large or "code: invalid" in str(error)
            raise (_Refused if refused else _Away)(str(error)) from error

    def _await(self, row: tuple[Any, ...]) -> None:
        """QuestDB shows what it has taken a moment later."""
        deadline = time.monotonic() + self._timeout_s
        while not self._call(
            f"SELECT number FROM {TABLE} WHERE ms = {row[2]} AND number = {row[0]}"
        ):
            if time.monotonic() > deadline:
                raise _Away("it does not show what it has taken")
            time.sleep(0.01)

    def _is_away(self, error: BaseException) -> SeriesError:
        return SeriesError(
            f"the series at {self.address} are away: {error}",
            hint="Start QuestDB, or see its log; points wait on the disk meanwhile",
        )

    def _not_sent(self, why: str) -> SeriesError:
        return SeriesError(
            f"points do not reach QuestDB at {self.address}: {why}",
            hint="See the log of analytics; they wait on the disk meanwhile",
        )


def _number(value: Any) -> float:
    """JSON has no infinity: QuestDB says null for a sum that is."""
    return math.inf if value is None else float(value)
