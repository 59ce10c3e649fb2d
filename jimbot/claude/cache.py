"""Answers that were paid for once: three tiers over one persistent table.

- exact: the same question;
- similar: the nearest question of its kind, when it is near enough by the measured threshold;
- pattern: what Claude nearly always answered where the same was on offer at that stretch of a run.

An answer expires, gives way to newer ones when the table is full, and is dropped when what came
of it stays behind what the policy expected. Everything is looked up in memory and written through.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jimbot.claude import features
from jimbot.claude.agreement import Difference, threshold, wilson_lower
from jimbot.claude.question import Outcome, Question, Source
from jimbot.claude.sqlite import connect
from jimbot.claude.strategist import Opinion

DAY_S = 86_400.0
# Advices that an outcome may still come for.
REMEMBERED = 10_000
# Pairs of neighbours that the threshold is measured on.
PAIRS = 2_000
_SCHEMA = """
CREATE TABLE answers (
    key BLOB PRIMARY KEY, kind TEXT NOT NULL, pattern BLOB NOT NULL, vector BLOB NOT NULL,
    action TEXT NOT NULL, position INTEGER NOT NULL, alternative TEXT, reasoning TEXT NOT NULL,
    confidence REAL NOT NULL, made REAL NOT NULL, used REAL NOT NULL,
    trials INTEGER NOT NULL DEFAULT 0, mean REAL NOT NULL DEFAULT 0,
    squares REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE pairs (made REAL NOT NULL, cosine REAL NOT NULL, agreed INTEGER NOT NULL);
"""


def answers(path: Path, *, days: float) -> list[tuple[bytes, bytes, str, int, float]]:
    """`(key, pattern, action, position, confidence)` of a cache's answers that have not expired.

    Empty where there is no cache. Safe beside the gateway that writes it.

    Raises:
        StoreError: the file cannot be used.
    """
    if not path.exists():
        return []
    database = connect(path, [_SCHEMA], durable=False)
    try:
        return database.execute(
            "SELECT key, pattern, action, position, confidence FROM answers WHERE made >= ?"
            " ORDER BY key", (time.time() - days * DAY_S,),
        ).fetchall()  # fmt: skip
    finally:
        database.close()


class _Entry:
    __slots__ = (
        "action", "alternative", "confidence", "difference", "kind", "made", "pattern", "position",
        "row", "used",
    )  # fmt: skip

    def __init__(
        self, kind: str, pattern: bytes, action: str, position: int, alternative: str | None,
        confidence: float, made: float, used: float, difference: Difference,
    ) -> None:  # fmt: skip
        # The same few words in thousands of answers: each is kept once.
        self.kind, self.action = sys.intern(kind), sys.intern(action)
        self.alternative = sys.intern(alternative) if alternative else None
        self.pattern, self.position, self.confidence = pattern, position, confidence
        self.made, self.used, self.difference = made, used, difference
        self.row = -1


class Hit(NamedTuple):
    """An answer that the cache has, made for this question's legal list."""

    opinion: Opinion
    source: Source
    key: bytes


class _Kind:
    """The vectors of one kind of decision, as rows of a matrix that grows by doubling."""

    def __init__(self) -> None:
        self.keys: list[bytes | None] = []
        self.free: list[int] = []
        self.matrix = np.zeros((64, features.SIZE), np.float32)

    def add(self, key: bytes, vector: features.Vector) -> int:
        if self.free:
            row = self.free.pop()
            self.keys[row] = key
        else:
            row = len(self.keys)
            self.keys.append(key)
            if row == len(self.matrix):
                self.matrix = np.concatenate([self.matrix, np.zeros_like(self.matrix)])
        self.matrix[row] = vector
        return row

    def remove(self, row: int) -> None:
        self.keys[row] = None
        self.matrix[row] = 0
        self.free.append(row)

    def nearest(self, vector: features.Vector) -> tuple[bytes, float] | None:
        if len(self.keys) == len(self.free):
            return None
        # Not `@`: BLAS would start threads for so little, which wait for each other on a busy
        # machine (33 ms instead of 4 at the 99th percentile).
        cosines = np.einsum("ij,j->i", self.matrix[: len(self.keys)], vector)
        row = int(cosines.argmax())
        key = self.keys[row]
        return None if key is None else (key, float(cosines[row]))


class Cache:
    """The answers of one gateway, in `path`.

    Args:
        entries, days: how many answers are kept, for how long.
        agreement, evidence: what generalising takes (`jimbot.claude.agreement`).
        trials: outcomes before an answer can be contradicted.

    Raises:
        StoreError: the file cannot be used.
    """

    def __init__(
        self, path: Path, *, entries: int, days: float, agreement: float, evidence: int,
        trials: int, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self._limit, self._age_s = entries, days * DAY_S
        self._agreement, self._evidence, self._trials = agreement, evidence, trials
        self._clock = clock
        self._db = connect(path, [_SCHEMA], durable=False)
        # In the order of their last use; the first is the first to go.
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._kinds: defaultdict[str, _Kind] = defaultdict(_Kind)
        self._patterns: defaultdict[bytes, Counter[str]] = defaultdict(Counter)
        self._advised: OrderedDict[str, bytes] = OrderedDict()
        self._touched: set[bytes] = set()
        self._pairs: list[tuple[float, bool]] = []
        self.threshold: float | None = None
        self._load()

    def __len__(self) -> int:
        return len(self._entries)

    def exact(self, question: Question, key: bytes) -> Hit | None:
        """The answer to this very question."""
        entry = self._fresh(key)
        if entry is None:
            return None
        if entry.position >= len(question.legal):
            return None
        return self._hit(question, key, entry, entry.position, "cache:exact")

    def similar(self, question: Question, vector: features.Vector) -> Hit | None:
        """The answer to the nearest question of its kind, when near enough and legal here."""
        if self.threshold is None or (near := self._kinds[question.kind].nearest(vector)) is None:
            return None
        key, cosine = near
        if cosine < self.threshold or (entry := self._fresh(key)) is None:
            return None
        position = question.index_of(entry.action)
        if position is None:
            return None
        return self._hit(question, key, entry, position, "cache:similar")

    def pattern(self, question: Question) -> Hit | None:
        """What was nearly always answered to questions of this pattern."""
        votes = self._patterns.get(features.pattern(question))
        if not votes:
            return None
        action, agreed = votes.most_common(1)[0]
        lower = wilson_lower(agreed, votes.total())
        position = question.index_of(action)
        if lower < self._agreement or position is None:
            return None
        reasoning = f"Claude chose this {agreed} of {votes.total()} times with the same on offer."
        return Hit(Opinion(position, reasoning, lower), "cache:pattern", b"")

    def store(self, question: Question, opinion: Opinion) -> None:
        """Keep Claude's answer, and measure how its nearest neighbour's would have done."""
        key, vector, now = features.exact_key(question), features.vector(question), self._clock()
        action = question.legal[opinion.choice].key
        self._measure(question, key, vector, action)
        self._forget(key)
        other = opinion.alternative
        alternative = None if other is None else question.legal[other].key
        entry = _Entry(
            question.kind, features.pattern(question), action, opinion.choice, alternative,
            opinion.confidence, now, now, Difference(),
        )  # fmt: skip
        self._db.execute(
            "INSERT OR REPLACE INTO answers (key, kind, pattern, vector, action, position,"
            " alternative, reasoning, confidence, made, used) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (key, entry.kind, entry.pattern, vector.tobytes(), action, opinion.choice, alternative,
             opinion.reasoning, opinion.confidence, now, now),
        )  # fmt: skip
        self._keep(key, entry, vector)
        while len(self._entries) > self._limit:
            self._drop(next(iter(self._entries)))

    def advised(self, advice_id: str, key: bytes) -> None:
        """An answer went out under this id; its outcome may come back."""
        self._advised[advice_id] = key
        if len(self._advised) > REMEMBERED:
            self._advised.popitem(last=False)

    def learn(self, outcome: Outcome) -> bool:
        """Weigh what came of an answer; True when that contradicts it and it was dropped."""
        key = self._advised.pop(outcome.advice_id, None)
        entry = self._entries.get(key) if key else None
        if key is None or entry is None or not outcome.followed:
            return False
        entry.difference.add(outcome.observed - outcome.expected)
        if entry.difference.behind(self._trials):
            self._drop(key)
            return True
        seen = entry.difference
        self._db.execute(
            "UPDATE answers SET trials = ?, mean = ?, squares = ? WHERE key = ?",
            (seen.count, seen.mean, seen.squares, key),
        )
        return False

    def flush(self) -> None:
        """Write down when answers were last used."""
        if self._touched:
            rows = [(self._entries[key].used, key) for key in self._touched if key in self._entries]
            self._db.execute("BEGIN")
            self._db.executemany("UPDATE answers SET used = ? WHERE key = ?", rows)
            self._db.execute("COMMIT")
            self._touched.clear()

    def close(self) -> None:
        self.flush()
        self._db.close()

    def _load(self) -> None:
        oldest = self._clock() - self._age_s
        self._db.execute("DELETE FROM answers WHERE made < ?", (oldest,))
        self._db.execute("DELETE FROM pairs WHERE made < ?", (oldest,))
        for row in self._db.execute(
            "SELECT key, vector, kind, pattern, action, position, alternative, confidence, made,"
            " used, trials, mean, squares FROM answers ORDER BY used"
        ):
            key, blob, kind, pattern, action, position, alternative, *figures = row
            confidence, made, used, trials, mean, squares = figures
            vector = np.frombuffer(blob, np.float32)
            if vector.shape == (features.SIZE,):
                entry = _Entry(
                    kind, pattern, action, position, alternative, confidence, made, used,
                    Difference(trials, mean, squares),
                )  # fmt: skip
                self._keep(key, entry, vector)
        rows = self._db.execute("SELECT cosine, agreed FROM pairs ORDER BY made DESC LIMIT ?",
                                (PAIRS,))  # fmt: skip
        self._pairs = [(cosine, bool(agreed)) for cosine, agreed in rows][::-1]
        self._calibrate()

    def _keep(self, key: bytes, entry: _Entry, vector: features.Vector) -> None:
        entry.row = self._kinds[entry.kind].add(key, vector)
        self._entries[key] = entry
        self._patterns[entry.pattern][entry.action] += 1

    def _forget(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._kinds[entry.kind].remove(entry.row)
        votes = self._patterns[entry.pattern]
        votes[entry.action] -= 1
        if votes[entry.action] <= 0:
            del votes[entry.action]
        if not votes:
            del self._patterns[entry.pattern]

    def _drop(self, key: bytes) -> None:
        self._forget(key)
        self._touched.discard(key)
        self._db.execute("DELETE FROM answers WHERE key = ?", (key,))

    def _fresh(self, key: bytes) -> _Entry | None:
        entry = self._entries.get(key)
        if entry is not None and self._clock() - entry.made > self._age_s:
            self._drop(key)
            return None
        return entry

    def _hit(
        self, question: Question, key: bytes, entry: _Entry, position: int, source: Source
    ) -> Hit:
        entry.used = self._clock()
        self._entries.move_to_end(key)
        self._touched.add(key)
        other = question.index_of(entry.alternative) if entry.alternative else None
        # Texts are the bulk of the answers, and stay on the disk until they are given.
        (reasoning,) = self._db.execute(
            "SELECT reasoning FROM answers WHERE key = ?", (key,)
        ).fetchone()
        opinion = Opinion(
            position, reasoning, entry.confidence, None if other == position else other
        )
        return Hit(opinion, source, key)

    def _measure(
        self, question: Question, key: bytes, vector: features.Vector, action: str
    ) -> None:
        near = self._kinds[question.kind].nearest(vector)
        if near is None or near[0] == key:
            return
        neighbour = self._entries[near[0]]
        if question.index_of(neighbour.action) is None:
            return  # it could not have answered here, so it says nothing
        pair = (near[1], neighbour.action == action)
        self._db.execute("INSERT INTO pairs VALUES (?, ?, ?)", (self._clock(), *pair))
        self._pairs = [*self._pairs[-(PAIRS - 1) :], pair]
        self._calibrate()

    def _calibrate(self) -> None:
        self.threshold = threshold(self._pairs, agreement=self._agreement, evidence=self._evidence)
