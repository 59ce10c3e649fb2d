"""A graph that remembers what it answered, until something changes it."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jimbot.knowledge.graph import PROJECTION, GraphStore, Rows

ENTRIES = 2000
"""Answers kept; a joker's neighbours, the largest, take some 50 KiB."""


class CachedGraph:
    """Another graph, which this process alone changes; safe to use from any thread.

    Every committed transaction empties the cache. Rows are shared by those who ask the same: to be
    read, not changed.
    """

    def __init__(self, graph: GraphStore, entries: int = ENTRIES) -> None:
        self.graph = graph
        self.hits = 0
        self.misses = 0
        self._entries = entries
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, str], Rows] = OrderedDict()
        self._changes = 0
        self._writer: int | None = None

    def run(self, cypher: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        if self._writer == threading.get_ident():
            return self.graph.run(cypher, parameters)  # sees what is not committed yet
        key = cypher, json.dumps(parameters, sort_keys=True)
        with self._lock:
            if (found := self._answers.get(key)) is not None:
                self._answers.move_to_end(key)
                self.hits += 1
                return found
            self.misses += 1
            changes = self._changes
        rows = self.graph.run(cypher, parameters)
        with self._lock:
            # An answer from before a change that came meanwhile must not outlive it.
            if changes == self._changes:
                self._answers[key] = rows
                if len(self._answers) > self._entries:
                    self._answers.popitem(last=False)
        return rows

    def run_rows(
        self,
        cypher: str,
        rows: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, Any] | None = None,
    ) -> Rows:
        return self.graph.run_rows(cypher, rows, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with self.graph.transaction():
                outer, self._writer = self._writer, threading.get_ident()
                try:
                    yield
                finally:
                    self._writer = outer
        finally:
            self._forget()

    def position(self, projection: str = PROJECTION) -> int:
        return self.graph.position(projection)

    def set_position(self, position: int, projection: str = PROJECTION) -> None:
        self.graph.set_position(position, projection)

    def version(self) -> int:
        return self.graph.version()

    def clear(self) -> None:
        try:
            self.graph.clear()
        finally:
            self._forget()

    def close(self) -> None:
        self._forget()
        self.graph.close()

    def _forget(self) -> None:
        with self._lock:
            self._changes += 1
            self._answers.clear()
