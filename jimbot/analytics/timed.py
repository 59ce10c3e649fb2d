"""How long questions to the knowledge graph take."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from prometheus_client import Histogram

from jimbot.knowledge import GraphStore
from jimbot.knowledge.graph import PROJECTION, Rows


def graph_query_seconds() -> Histogram:
    """The histogram, in no registry yet."""
    return Histogram(
        "jimbot_graph_query_seconds",
        "Time that a question to the knowledge graph takes.",
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
        registry=None,
    )


class TimedGraph:
    """A graph whose questions are timed. What is written, which a transaction holds, is not."""

    def __init__(self, graph: GraphStore, seconds: Histogram) -> None:
        self._graph = graph
        self._seconds = seconds
        self._own = threading.local()

    def run(self, cypher: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        if getattr(self._own, "writes", False):
            return self._graph.run(cypher, parameters)
        began = time.perf_counter()
        rows = self._graph.run(cypher, parameters)
        self._seconds.observe(time.perf_counter() - began)
        return rows

    def run_rows(
        self,
        cypher: str,
        rows: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, Any] | None = None,
    ) -> Rows:
        return self._graph.run_rows(cypher, rows, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._own.writes = True
        try:
            with self._graph.transaction():
                yield
        finally:
            self._own.writes = False

    def position(self, projection: str = PROJECTION) -> int:
        return self._graph.position(projection)

    def set_position(self, position: int, projection: str = PROJECTION) -> None:
        self._graph.set_position(position, projection)

    def version(self) -> int:
        return self._graph.version()

    def clear(self) -> None:
        self._graph.clear()

    def close(self) -> None:
        self._graph.close()
