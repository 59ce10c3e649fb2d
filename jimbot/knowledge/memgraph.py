"""The graph on a server: Memgraph, or what else speaks openCypher over Bolt.

The driver (neo4j's, which gqlalchemy builds on) keeps a bounded pool of connections and gives
transactions, which gqlalchemy's own connection does not.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from jimbot.breaker import Breaker
from jimbot.errors import MissingExtra
from jimbot.knowledge.graph import PROJECTION, GraphError, Rows, no_graph

POOL = 8
"""Connections at most; one more question waits for one of them."""


def _keyed(*labels: str) -> tuple[str, ...]:
    return tuple(
        statement
        for label in labels
        for statement in (
            f"CREATE CONSTRAINT ON (n:{label}) ASSERT n.key IS UNIQUE",
            f"CREATE INDEX ON :{label}(key)",
        )
    )


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _keyed("Joker", "Hand", "Item", "Blind", "Record", "Combination", "Meta"),
    _keyed("Note"),
)
"""What each version of the schema adds to the one before; a step is never edited once released.

Statements of the schema run one by one, outside of transactions, and may be run again.
"""

_CHANGES = re.compile(r"\b(CREATE|MERGE|SET|DELETE|REMOVE|DROP|LOAD)\b", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`")


class MemgraphGraph:
    """A `GraphStore` at `address` (`bolt://host:port`).

    What changes the graph goes into a `transaction`; outside of one, statements only read.

    Args:
        read_only: change nothing, the schema included; it may then be an older one.
        timeout_s: for connecting, for a connection of the pool, and for each statement.
        migrations: the statements that lay out the schema, in the server's dialect.

    Raises:
        MissingExtra: the driver is not installed.
        GraphMissing: `read_only`, and nobody has made a graph there yet.
        GraphError: the server is away, refuses the login, or has a graph of a newer version.
    """

    def __init__(
        self,
        address: str,
        *,
        user: str = "",
        password: str = "",
        read_only: bool = False,
        timeout_s: float = 5.0,
        breaker_failures: int = 3,
        breaker_open_s: float = 10.0,
        migrations: Sequence[Sequence[str]] = MIGRATIONS,
    ) -> None:
        try:
            import neo4j
            from neo4j import exceptions
        except ImportError:
            raise MissingExtra("neo4j", "databases") from None
        self.address = address
        self._read_only = read_only
        self._timeout_s = timeout_s
        self._migrations = migrations
        self._neo4j = neo4j
        self._failures = (exceptions.Neo4jError, exceptions.DriverError, OSError)
        self._away = (exceptions.DriverError, exceptions.TransientError, OSError)
        self._breaker = Breaker(
            breaker_failures,
            breaker_open_s,
            refuse=lambda left: self._is_away(f"asked again in {left:.0f} s"),
            failed=self._away,
        )
        self._write_lock = threading.RLock()
        self._owner: int | None = None
        self._transaction: Any = None
        self._aborted = False
        self._driver: Any = neo4j.GraphDatabase.driver(
            address,
            auth=(user, password) if user else None,
            max_connection_pool_size=POOL,
            connection_timeout=timeout_s,
            connection_acquisition_timeout=timeout_s,
            max_transaction_retry_time=0,
            keep_alive=True,
        )
        self._limit_waiting(self._driver._pool)
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    def run(self, cypher: str, parameters: Mapping[str, Any] | None = None) -> Rows:
        if self._owner == threading.get_ident():
            return self._run_in_transaction(cypher, parameters)
        if _CHANGES.search(_QUOTED.sub("", cypher)):
            raise GraphError(
                "a statement outside of a transaction changes the graph",
                hint="Run it inside `with graph.transaction()`",
            )
        with self._explained(cypher), self._breaker.calling(), self._session("READ") as session:
            return self._fetch(session, cypher, parameters)

    def run_rows(
        self,
        cypher: str,
        rows: Sequence[Mapping[str, Any]],
        parameters: Mapping[str, Any] | None = None,
    ) -> Rows:
        if not rows:
            return []
        given = {**(parameters or {}), "rows": [dict(row) for row in rows]}
        return self.run(f"UNWIND $rows AS row {cypher}", given)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._read_only:
            raise GraphError(f"the graph at {self.address} is open for reading only")
        with self._write_lock:
            if self._owner is not None:
                yield  # within one already: it ends with the outermost
                return
            session = self._session("WRITE")
            try:
                with self._explained("BEGIN"), self._breaker.calling():
                    self._transaction = session.begin_transaction(timeout=10 * self._timeout_s)
            except BaseException:
                session.close()
                raise
            self._owner, self._aborted = threading.get_ident(), False
            try:
                yield
                if self._aborted:
                    raise _given_up()
                with self._explained("COMMIT"), self._breaker.calling():
                    self._transaction.commit()
            except BaseException:
                with suppress(*self._failures):
                    self._transaction.rollback()
                raise
            finally:
                self._owner = self._transaction = None
                with suppress(*self._failures):
                    session.close()

    def position(self, projection: str = PROJECTION) -> int:
        return self._number(f"position {projection}")

    def set_position(self, position: int, projection: str = PROJECTION) -> None:
        self._set_number(f"position {projection}", position)

    def version(self) -> int:
        return self._number("schema")

    def clear(self) -> None:
        with self.transaction():
            self.run("MATCH (n) WHERE NOT (n:Meta AND n.key = 'schema') DETACH DELETE n")

    def close(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    def _session(self, mode: str) -> Any:
        if self._driver is None:
            raise GraphError(f"the graph at {self.address} is closed")
        return self._driver.session(default_access_mode=mode)

    def _run_in_transaction(self, cypher: str, parameters: Mapping[str, Any] | None) -> Rows:
        if self._aborted:
            raise _given_up()
        try:
            with self._explained(cypher), self._breaker.calling():
                return self._fetch(self._transaction, cypher, parameters)
        except BaseException:
            self._aborted = True
            raise

    def _fetch(self, session: Any, cypher: str, parameters: Mapping[str, Any] | None) -> Rows:
        query: Any = cypher
        if session is not self._transaction:
            query = self._neo4j.Query(cypher, timeout=self._timeout_s)
        return [
            {name: _plain(value) for name, value in record.items()}
            for record in session.run(query, dict(parameters or {}))
        ]

    def _number(self, key: str) -> int:
        rows = self.run("MATCH (m:Meta {key: $key}) RETURN m.value AS value", {"key": key})
        return int(rows[0]["value"]) if rows else 0

    def _set_number(self, key: str, value: int) -> None:
        self.run("MERGE (m:Meta {key: $key}) SET m.value = $value", {"key": key, "value": value})

    def _migrate(self) -> None:
        version, wanted = self.version(), len(self._migrations)
        if version > wanted:
            raise GraphError(
                f"the graph at {self.address} was written by a newer JimBot"
                f" (schema {version}, this one knows {wanted})",
                hint="Run the JimBot that wrote it, or a newer one; it was left as it is",
            )
        if self._read_only and version == 0:
            raise no_graph(self.address)
        if self._read_only or version == wanted:
            return
        for step in self._migrations[version:]:
            for statement in step:
                with self._explained(statement), self._session("WRITE") as session:
                    try:
                        session.run(statement).consume()
                    except self._neo4j.exceptions.ClientError as error:
                        if "exist" not in str(error):
                            raise
        with self.transaction():
            self._set_number("schema", wanted)

    def _limit_waiting(self, pool: Any) -> None:
        """Give every connection a time limit for reading.

        The driver has no setting for it (servers of Neo4j's own send one), and would wait for a
        server that hangs for ever.
        """
        opener = pool.opener

        def open_limited(*args: Any) -> Any:
            connection = opener(*args)
            connection.socket.settimeout(2 * self._timeout_s)
            return connection

        pool.opener = open_limited

    def _is_away(self, why: str) -> GraphError:
        return GraphError(
            f"the graph at {self.address} is away: {why}",
            hint="Start Memgraph, or see its log; what was not folded comes from the event log",
        )

    @contextmanager
    def _explained(self, cypher: str) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            text = " ".join(str(error).split()) or type(error).__name__
            if isinstance(error, self._neo4j.exceptions.AuthError):
                raise GraphError(
                    f"the graph at {self.address} refuses the login: {text}",
                    hint="Mend `user` and `password` in the table's [stores.graph]",
                ) from error
            if isinstance(error, self._away):
                raise self._is_away(text) from error
            raise GraphError(f"the graph refused a statement: {text} ({cypher[:80]})") from error


def _plain(value: Any) -> Any:
    """Nodes and edges come as objects of the driver."""
    return dict(value.items()) if hasattr(value, "element_id") else value


def _given_up() -> GraphError:
    return GraphError("the transaction was given up after a statement of it failed")
