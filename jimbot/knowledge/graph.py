"""What every store of the knowledge graph can do, whichever engine keeps it.

All engines speak Cypher, so queries are shared (`jimbot.knowledge.queries`); only the statements
that lay out the schema differ. Everything in here can be thrown away and rebuilt from the
catalogue of the game and the event log. Engines: `jimbot.knowledge.ladybug` (embedded).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from jimbot.errors import JimbotError

PROJECTION = "knowledge"

Rows = list[dict[str, Any]]
"""What a statement returns: rows by the names that it gives its columns."""


class GraphError(JimbotError):
    """The graph could not be opened, asked or changed; nothing was half-written."""


class GraphMissing(GraphError):
    """There is no graph yet: its owner, which makes it, has not run."""


def no_graph(where: object) -> GraphMissing:
    """What whoever only reads is told of a place that has no graph."""
    return GraphMissing(
        f"there is no graph at {where} yet", hint="Start analytics, or run: jimbot init-db"
    )


class GraphStore(Protocol):
    """A property graph that is asked in Cypher; safe to use from any thread."""

    def run(self, cypher: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        """Run one statement.

        Raises:
            GraphError: the statement is wrong, or the engine failed; nothing was changed.
        """

    def run_rows(
        self,
        cypher: str,
        rows: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, Any] | None = None,
    ) -> Rows:
        """Run one statement over many rows, all with the same keys; it calls each `row`.

        The same as `UNWIND $rows AS row` before it, by whatever way the engine takes rows fastest.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """Make all that this thread runs inside the block happen together, or not at all."""

    def position(self, projection: str = PROJECTION) -> int:
        """The log's position up to which a projection is in the graph; 0 before the first."""

    def set_position(self, position: int, projection: str = PROJECTION) -> None:
        """Move a projection on; inside the transaction of the batch that it stands for."""

    def version(self) -> int:
        """The version of the schema, after the migrations that opening has run."""

    def clear(self) -> None:
        """Forget everything, positions too, so that it can be rebuilt."""

    def close(self) -> None: ...
