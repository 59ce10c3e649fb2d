"""Following the event log into the stores that are made from it, each in a thread of its own.

A projection goes on from the position that its store remembers, so a restart repeats nothing and
misses nothing. One that fails keeps its last error, tries again, and leaves the other alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from jimbot.appliance import Home
from jimbot.appliance.retention import GraphRetention
from jimbot.errors import JimbotError, MissingExtra
from jimbot.events import EventLog, LogMissing, Recorded, open_log
from jimbot.events.payloads import GAME_FINISHED
from jimbot.knowledge import GraphStore, open_graph
from jimbot.metrics import SeriesError, SeriesStore
from jimbot.service import Health

_log = logging.getLogger(__name__)

POLL_S = 0.2
# A transaction of the graph costs about as much for a hundred games as for one.
GRAPH_POLL_S = 2.0
BATCH = 1000
# What games have in common is written to the graph once a batch.
GRAPH_BATCH = 10_000
# Between two looks at a store's own server.
CHECK_S = 5.0
# A projection further behind than this is slow, not merely busy.
BEHIND_LIMIT = 20_000
_RETRY_FIRST_S, _RETRY_LIMIT_S = 0.5, 10.0

State = Literal["starting", "waiting", "following", "failing", "missing"]


class Status(NamedTuple):
    """Where a projection stands.

    `waiting`: there is no event log yet; `missing`: a package that it needs is not installed;
    `failing`: `error` says why, and it tries again. Positions are the log's. `warning`: the store
    takes what it is given, but not all is well with it.
    """

    name: str
    state: State
    position: int
    behind: int
    events: int
    errors: int
    error: str
    hint: str
    warning: str = ""


class Store(Protocol):
    """What a projection fills; it remembers how far the log is in it."""

    def position(self) -> int: ...
    def close(self) -> None: ...


S = TypeVar("S", bound=Store)


class Follower(Generic[S]):
    """One projection: reads the log from its store's position on and folds what it finds.

    Args:
        open_store: opens the store; called again after an error.
        fold: puts events into the store, each exactly once, with the position that was reached;
            given last is where the store must be at least.
        types: the only types of events that the projection looks at.
        poll_s: seconds between two looks at a log that had nothing new.
        batch: events folded at a time; `BATCH` when 0.
        check: what is not well with an open store, in a line; asked every `CHECK_S`.
        told: the position that the log's writer told of last; 0 when it has told none.

    `store` is None until it is open; it may be read from any thread.
    """

    def __init__(
        self,
        name: str,
        home: Home,
        open_store: Callable[[], S],
        fold: Callable[[S, Sequence[Recorded], int, int], object],
        types: Collection[str],
        poll_s: float = POLL_S,
        batch: int = 0,
        check: Callable[[S], str] | None = None,
        told: Callable[[], int] = lambda: 0,
    ) -> None:
        self.name = name
        self.store: S | None = None
        self._home = home
        self._open_store = open_store
        self._fold = fold
        self._types = types
        self._poll_s = poll_s
        self._batch = batch
        self._check = check
        self._told = told
        self._checked = 0.0
        self._warning = ""
        self._log: EventLog | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"projection-{name}", daemon=True)
        self._state: State = "starting"
        self._cursor = 0
        self._stored = 0  # the cursor that the store knows of
        self._head = 0
        self._events = 0
        self._errors = 0
        self._problem: JimbotError | None = None

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Stop after the batch at hand, and close the stores."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the stop; whether it came in time."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> Status:
        problem = self._problem
        return Status(
            name=self.name,
            state=self._state,
            position=self._cursor,
            behind=max(self._head - self._cursor, 0),
            events=self._events,
            errors=self._errors,
            error=problem.message if problem else "",
            hint=problem.hint if problem else "",
            warning=self._warning,
        )

    def _follow(self) -> None:
        pause = _RETRY_FIRST_S
        try:
            while not self._stop.is_set():
                try:
                    more = self._advance()
                except LogMissing as error:
                    self._state, self._problem = "waiting", error
                    self._stop.wait(POLL_S)
                except MissingExtra as error:
                    self._state, self._problem = "missing", error
                    self._stop.wait(_RETRY_LIMIT_S)
                except Exception as error:
                    self._fail(error)
                    self._stop.wait(pause)
                    pause = min(pause * 2, _RETRY_LIMIT_S)
                else:
                    self._state, self._problem, pause = "following", None, _RETRY_FIRST_S
                    if not more:
                        self._stop.wait(self._poll_s)
        finally:
            self._close()

    def _advance(self) -> bool:
        """Fold one batch; whether there is more to read at once."""
        if self.store is None:
            store = self._open_store()
            try:
                self._cursor = self._stored = store.position()
                self._head = self._opened_log().position()
            finally:
                self.store = store  # asked from now on, so how far behind it is has to be known
        log = self._opened_log()
        if self._check is not None and time.monotonic() - self._checked > CHECK_S:
            self._warning = self._check(self.store)
            self._checked = time.monotonic()
        limit = self._batch or BATCH
        # Asked before reading: up to here a batch that is not full has seen everything.
        told = self._told()  # before that, or what is stored in between would seem to be missing
        self._head = log.position()
        if self._head < told:
            # What its writer has told of is in it: this view of the log stands still.
            self._log = None
            log.close()
            log = self._opened_log()
            self._head = log.position()
        if self._head < told:
            raise JimbotError(
                f"the event log ends at position {self._head} here, and at {told} for mcp",
                hint="Have both read the same table and home, or restart analytics",
            )
        if self._cursor > self._head:
            raise JimbotError(
                f"the {self.name} store is at position {self._cursor}, the event log ends at"
                f" {self._head}: it was made from another log",
                hint=f"Stop JimBot and move the {self.name} store away; it is filled anew",
            )
        batch = log.read(after=self._cursor, limit=limit, types=self._types)
        full = len(batch) == limit
        reached = batch[-1].position if batch else self._cursor
        if not full:
            reached = max(reached, self._head)
        if batch:
            try:
                self._fold(self.store, batch, reached, self._stored)
            except JimbotError:
                if (now := self.store.position()) == self._stored:
                    raise
                # `jimbot db rebuild` has emptied it, and fills it beside us: on from where it is.
                self._cursor = self._stored = now
                return True
            self._stored = reached
            self._events += len(batch)
            if not full:  # a store that is filled anew meets every game there was
                self._tell(batch)
        # Events of other types move the cursor alone, which costs no write.
        self._cursor = reached
        return full

    def _opened_log(self) -> EventLog:
        if self._log is None:
            self._log = open_log(self._home, read_only=True)
        return self._log

    def _tell(self, batch: Sequence[Recorded]) -> None:
        """Of games that are kept action by action; thousands of others an hour are not told of."""
        for entry in batch:
            payload = entry.event.payload
            if entry.event.type == GAME_FINISHED and payload.get("recorded"):
                fields = {
                    "game": payload.get("game_id"),
                    "projection": self.name,
                    "position": entry.position,
                }
                _log.info("projected %s", GAME_FINISHED, extra={"fields": fields})

    def _fail(self, error: Exception) -> None:
        self._errors += 1
        known = isinstance(error, JimbotError)
        problem = error if isinstance(error, JimbotError) else JimbotError(repr(error))
        if not self._problem or self._problem.message != problem.message:
            _log.error(
                "projection failed",
                exc_info=None if known else error,
                extra={"fields": {"projection": self.name, "error": str(problem)}},
            )
        self._state, self._problem = "failing", problem
        # What failed may be either file; both are opened afresh.
        self._close()

    def _close(self) -> None:
        store, self.store = self.store, None
        log, self._log = self._log, None
        for opened in (store, log):
            if opened is not None:
                try:
                    opened.close()
                except JimbotError:
                    _log.exception("could not close", extra={"fields": {"projection": self.name}})


class Projections:
    """The projections of one home, and how they are together."""

    def __init__(
        self,
        home: Home,
        keep: GraphRetention | None = None,
        timed: Callable[[GraphStore], GraphStore] = lambda graph: graph,
        told: Callable[[], int] = lambda: 0,
    ) -> None:
        """
        Args:
            keep: how large the graph may grow.
            timed: puts a watch around the open graph.
            told: the position that mcp told of last; 0 when it has told none.
        """
        from jimbot.knowledge import projection as graph_projection
        from jimbot.knowledge.prune import Ceiling
        from jimbot.metrics import open_series, projection

        ceiling = Ceiling(pairs=keep.edges, combinations=keep.combinations) if keep else Ceiling()

        self.metrics: Follower[SeriesStore] = Follower(
            "metrics",
            home,
            lambda: open_series(home),
            lambda store, batch, reached, after: projection.fold(
                store, batch, position=reached, after=after
            ),
            projection.TYPES,
            check=_series_warning,
            told=told,
        )
        self.knowledge: Follower[GraphStore] = Follower(
            "knowledge",
            home,
            lambda: timed(open_graph(home)),
            lambda store, batch, reached, after: graph_projection.fold(
                store, batch, position=reached, after=after, ceiling=ceiling
            ),
            graph_projection.TYPES,
            GRAPH_POLL_S,
            GRAPH_BATCH,
            told=told,
        )

    def start(self) -> None:
        self.metrics.start()
        self.knowledge.start()

    def stop(self) -> None:
        """Stop both within two seconds."""
        deadline = time.monotonic() + 1.6
        for follower in (self.metrics, self.knowledge):
            follower.ask_to_stop()
        for follower in (self.metrics, self.knowledge):
            if not follower.join(max(deadline - time.monotonic(), 0.05)):
                _log.warning("still busy", extra={"fields": {"projection": follower.name}})

    def statuses(self) -> list[Status]:
        return [self.metrics.status(), self.knowledge.status()]

    def health(self) -> Health:
        """Without metrics there is nothing to show: fail. Everything else is a warning."""
        statuses = self.statuses()
        health = Health(status="ok")
        for status in reversed(statuses):  # metrics last, so that its word counts
            told = _health_of(status)
            if told and (told.status == "fail" or health.status == "ok"):
                health = told
        details = {
            status.name: {
                "state": status.state,
                "position": status.position,
                "behind": status.behind,
                "error": status.error,
            }
            for status in statuses
        }
        return health.model_copy(update={"details": details})


def _health_of(status: Status) -> Health | None:
    if status.state == "starting":
        return Health(
            status="warn",
            reason=f"{status.name} is starting",
            hint="It opens its store and folds what it missed; ask again in a moment",
        )
    if status.state == "waiting":
        return Health(
            status="warn", reason="waiting for the event log, which mcp makes", hint=status.hint
        )
    if status.state in ("failing", "missing"):
        serious = status.name == "metrics"
        return Health(
            status="fail" if serious else "warn",
            reason=f"{status.name} is not kept: {status.error}",
            hint=status.hint or "See the log of analytics",
        )
    if status.warning:
        return Health(
            status="warn",
            reason=status.warning,
            hint="Start its server, or see its log; nothing is lost meanwhile",
        )
    if status.behind > BEHIND_LIMIT:
        return Health(
            status="warn",
            reason=f"{status.name} is {status.behind:,} events behind the log",
            hint="It catches up by itself; if the number grows, give analytics more of a core",
        )
    return None


def _series_warning(store: SeriesStore) -> str:
    """What is not well with QuestDB, whose points wait in a spool meanwhile."""
    from jimbot.metrics.questdb import QuestDBSeries

    if not isinstance(store, QuestDBSeries):
        return ""
    try:
        store.ping()
    except SeriesError as error:
        return f"{error.message}; {store.spooled():,} points wait for it"
    return ""
