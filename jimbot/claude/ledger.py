"""The ledger: what each request cost, durable before it is sent and again when it has ended.

A request that was open when the process died counts at the most it could have cost.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jimbot.appliance import Home
from jimbot.claude.budget import Amount
from jimbot.claude.prices import Usage
from jimbot.claude.sqlite import connect

_SCHEMA = """
CREATE TABLE requests (
    id TEXT PRIMARY KEY, time REAL NOT NULL, model TEXT NOT NULL, purpose TEXT NOT NULL,
    questions INTEGER NOT NULL, status TEXT NOT NULL, dollars REAL NOT NULL,
    tokens INTEGER NOT NULL, input INTEGER NOT NULL DEFAULT 0, output INTEGER NOT NULL DEFAULT 0,
    cache_write INTEGER NOT NULL DEFAULT 0, cache_read INTEGER NOT NULL DEFAULT 0,
    batch INTEGER NOT NULL, elapsed_ms REAL NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX requests_by_time ON requests (time);
CREATE TABLE shares (
    request TEXT NOT NULL REFERENCES requests, game TEXT NOT NULL, part REAL NOT NULL
);
CREATE INDEX shares_by_game ON shares (game);
CREATE TABLE games (game TEXT PRIMARY KEY, time REAL NOT NULL, won INTEGER NOT NULL,
    ante INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE decisions (day INTEGER PRIMARY KEY, decided INTEGER NOT NULL,
    consulted INTEGER NOT NULL);
CREATE TABLE analyses (
    game TEXT PRIMARY KEY, time REAL NOT NULL, request TEXT NOT NULL, status TEXT NOT NULL,
    batch TEXT, ledger TEXT, result TEXT
);
"""
_TOLD = "ALTER TABLE analyses ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
OPEN = "open"


def ledger_path(home: Home) -> Path:
    """Where the ledger of a home is; part of every backup."""
    return home.path / "claude" / "ledger.sqlite"


class Spent(BaseModel):
    """What one group of requests cost."""

    key: str
    requests: int
    dollars: float
    tokens: int


class Entry(BaseModel):
    """One request of the ledger."""

    id: str
    time: float
    model: str
    purpose: str
    questions: int
    status: str
    dollars: float
    tokens: Usage
    batch: bool
    elapsed_ms: float
    games: list[str] = []


class Ledger:
    """The requests, games and analyses of one gateway, in `path`; safe from any thread.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(
        self, path: Path, clock: Callable[[], float] = time.time, *, read_only: bool = False
    ) -> None:
        self._db = connect(path, [_SCHEMA, _TOLD], durable=True)
        self._lock = threading.Lock()
        self._clock = clock
        if read_only:
            self._db.execute("PRAGMA query_only = ON")
        else:
            # Their processes are gone; what they reserved counts as spent.
            self._write(
                "UPDATE requests SET status = 'lost' WHERE status = ? AND NOT batch", (OPEN,)
            )

    def open(
        self, request: str, model: str, purpose: str, ceiling: Amount, games: Iterable[str | None],
        *, batch: bool = False,
    ) -> None:  # fmt: skip
        """A request is about to be sent; it counts at its ceiling until it is settled."""
        asked = list(games)
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.execute(
                    "INSERT INTO requests (id, time, model, purpose, questions, status, dollars,"
                    " tokens, batch) VALUES (?,?,?,?,?,?,?,?,?)",
                    (request, self._clock(), model, purpose, len(asked), OPEN, *ceiling, batch),
                )
                self._db.executemany(
                    "INSERT INTO shares VALUES (?, ?, ?)",
                    [(request, game, 1 / len(asked)) for game in asked if game],
                )
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def settle(
        self, request: str, status: str, cost: Amount, usage: Usage, elapsed_ms: float
    ) -> None:
        """It has ended, and cost this."""
        self._write(
            "UPDATE requests SET status = ?, dollars = ?, tokens = ?, input = ?, output = ?,"
            " cache_write = ?, cache_read = ?, elapsed_ms = ? WHERE id = ?",
            (status, *cost, *usage, elapsed_ms, request),
        )

    def spent_since(self, since: float) -> Amount:
        dollars, tokens = self._read(
            "SELECT coalesce(sum(dollars), 0), coalesce(sum(tokens), 0) FROM requests"
            " WHERE time >= ?", (since,),
        )[0]  # fmt: skip
        return Amount(dollars, tokens)

    def request_times(self, since: float) -> list[float]:
        """When the requests since then that were not batches were sent."""
        rows = self._read("SELECT time FROM requests WHERE time >= ? AND NOT batch", (since,))
        return [at for (at,) in rows]

    def game_ended(self, game: str, *, won: bool, ante: int) -> None:
        self._write(
            "INSERT OR REPLACE INTO games VALUES (?, ?, ?, ?)", (game, self._clock(), won, ante)
        )

    def save_decisions(self, day: int, decided: int, consulted: int) -> None:
        self._write("INSERT OR REPLACE INTO decisions VALUES (?, ?, ?)", (day, decided, consulted))

    def decisions(self) -> tuple[int, int, int]:
        """`(day, decided, consulted)` of the last day that has any; zeros before the first."""
        rows = self._read("SELECT * FROM decisions ORDER BY day DESC LIMIT 1")
        return rows[0] if rows else (0, 0, 0)

    def spent_by(self, column: str, since: float, until: float) -> list[Spent]:
        """Grouped by `day`, `model` or `purpose`."""
        of = {"day": "date(time, 'unixepoch')", "model": "model", "purpose": "purpose"}[column]
        rows = self._read(
            f"SELECT {of}, count(*), sum(dollars), sum(tokens) FROM requests"
            " WHERE time >= ? AND time < ? GROUP BY 1 ORDER BY 1", (since, until),
        )  # fmt: skip
        return [Spent(key=k, requests=n, dollars=d, tokens=t) for k, n, d, t in rows]

    def games(self, since: float, until: float) -> tuple[int, int, float]:
        """Games that consulted and ended then: how many, how many won, what they cost together."""
        games, won, dollars = self._read(
            "SELECT count(*), coalesce(sum(won), 0), coalesce(sum(dollars), 0) FROM ("
            " SELECT games.game, won, sum(requests.dollars * part) AS dollars FROM games"
            " JOIN shares ON shares.game = games.game"
            " JOIN requests ON requests.id = shares.request"
            " WHERE games.time >= ? AND games.time < ? GROUP BY games.game)", (since, until),
        )[0]  # fmt: skip
        return games, won, dollars

    def unsent(self, limit: int = 500) -> list[Entry]:
        """Ended requests that the event log does not know yet."""
        rows = self._read(
            "SELECT id, time, model, purpose, questions, status, dollars, input, output,"
            " cache_write, cache_read, batch, elapsed_ms FROM requests"
            " WHERE NOT sent AND status != ? ORDER BY time LIMIT ?", (OPEN, limit),
        )  # fmt: skip
        return [
            Entry(
                id=row[0], time=row[1], model=row[2], purpose=row[3], questions=row[4],
                status=row[5], dollars=row[6], tokens=Usage(*row[7:11]), batch=bool(row[11]),
                elapsed_ms=row[12], games=self._games_of(row[0]),
            )
            for row in rows
        ]  # fmt: skip

    def _games_of(self, request: str) -> list[str]:
        rows = self._read("SELECT DISTINCT game FROM shares WHERE request = ?", (request,))
        return [game for (game,) in rows]

    def mark_sent(self, ids: Iterable[str]) -> None:
        self._mark("UPDATE requests SET sent = 1 WHERE id = ?", ids)

    def queue_analysis(self, game: str, request: str) -> bool:
        """Keep a lost game for the next batch; False when it is there already."""
        return self._write(
            "INSERT OR IGNORE INTO analyses (game, time, request, status) VALUES (?, ?, ?, ?)",
            (game, self._clock(), request, "queued"),
        ) > 0  # fmt: skip

    def analyses(self, status: str, limit: int = 100) -> list[tuple[str, str, str | None, str]]:
        """`(game, request, batch, ledger id)` of analyses in a state, oldest first."""
        return self._read(
            "SELECT game, request, batch, coalesce(ledger, '') FROM analyses WHERE status = ?"
            " ORDER BY time LIMIT ?", (status, limit),
        )  # fmt: skip

    def count_analyses(self, status: str) -> int:
        count: int = self._read("SELECT count(*) FROM analyses WHERE status = ?", (status,))[0][0]
        return count

    def update_analysis(
        self, game: str, status: str, *, batch: str | None = None, ledger: str | None = None,
        result: str | None = None,
    ) -> None:  # fmt: skip
        self._write(
            "UPDATE analyses SET status = ?, batch = coalesce(?, batch),"
            " ledger = coalesce(?, ledger), result = coalesce(?, result) WHERE game = ?",
            (status, batch, ledger, result, game),
        )

    def analysis(self, game: str) -> tuple[str, str | None] | None:
        """`(status, result)` of a game's analysis."""
        rows = self._read("SELECT status, result FROM analyses WHERE game = ?", (game,))
        return rows[0] if rows else None

    def results(self, since: float, limit: int) -> list[tuple[str, float, str]]:
        """`(game, time, result)` of finished analyses queued since then, oldest first."""
        return self._read(
            "SELECT game, time, result FROM analyses WHERE status = 'done' AND time >= ?"
            " ORDER BY time LIMIT ?", (since, limit),
        )  # fmt: skip

    def untold_analyses(self, limit: int = 50) -> list[tuple[str, float, str]]:
        """`(game, time, result)` of finished analyses that the event log does not know yet."""
        return self._read(
            "SELECT game, time, result FROM analyses WHERE status = 'done' AND NOT told"
            " ORDER BY time LIMIT ?", (limit,),
        )  # fmt: skip

    def mark_told(self, games: Iterable[str]) -> None:
        self._mark("UPDATE analyses SET told = 1 WHERE game = ?", games)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        with self._lock:
            return self._db.execute(sql, parameters).fetchall()

    def _write(self, sql: str, parameters: tuple[Any, ...]) -> int:
        with self._lock:
            return self._db.execute(sql, parameters).rowcount

    def _mark(self, sql: str, keys: Iterable[str]) -> None:
        """Run a statement for each key, all or none."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(sql, [(key,) for key in keys])
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
