"""The three stores together: created, checked, migrated, rebuilt and kept in size."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from jimbot.appliance import Home
from jimbot.errors import JimbotError
from jimbot.operations.errors import OperationError

if TYPE_CHECKING:
    from jimbot.appliance.retention import Retention
    from jimbot.appliance.stores import Engine

Name = Literal["events", "metrics", "knowledge"]
NAMES: tuple[Name, ...] = ("events", "metrics", "knowledge")
State = Literal["ok", "old", "missing", "in use", "away", "broken"]

_BATCH = 10_000
DAY_MS = 86_400_000


class StoreStatus(BaseModel):
    """How one store is.

    `old`: its schema is of an earlier version; `in use`: its owner has it for itself, so nothing
    else is known of it; `away`: its server does not answer. `where` is a file or an address;
    `behind` counts the events of the log that are not in it yet, `waiting` the points that wait
    for QuestDB. None: not known.
    """

    name: Name
    state: State
    engine: Literal["embedded", "server"]
    where: str
    schema_version: int | None = None
    schema_wanted: int
    position: int | None = None
    behind: int | None = None
    waiting: int | None = None
    bytes: int | None = None
    problem: str = ""
    hint: str = ""


def initialise(home: Home) -> dict[str, list[str]]:
    """Create what is missing in each store; tells in a line each what was done or was there.

    Raises:
        JimbotError: a store's file is damaged, of a newer version, or in use; it is left as it is.
    """
    from jimbot import events, knowledge, metrics

    home.prepare()
    return {
        "events": events.init(home),
        "metrics": metrics.init(home),
        "knowledge": knowledge.init(home),
    }


def status(home: Home, names: tuple[Name, ...] = NAMES) -> list[StoreStatus]:
    """How the stores are; changes nothing, and never raises for a store that is bad."""
    head = _status(home, "events").position
    found = []
    for name in names:
        one = _status(home, name)
        if one.position is not None and head is not None:
            one.behind = max(head - one.position, 0)
        found.append(one)
    return found


def migrate(home: Home, name: Name) -> str:
    """Bring a store's schema up to date; a line for people on what was done.

    Raises:
        JimbotError: there is no such store yet, or it cannot be used; it is left as it is.
    """
    before = _status(home, name)
    if before.state not in ("ok", "old"):
        raise OperationError(before.problem, hint=before.hint)
    _open(home, name).close()
    after = _status(home, name)
    if before.schema_version == after.schema_version:
        return f"{name}: already at schema {after.schema_version}"
    return f"{name}: from schema {before.schema_version} to {after.schema_version}"


def rebuild(
    home: Home,
    name: Name,
    *,
    set_aside: bool = False,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> str:
    """Empty a store and fold the whole event log into it again; a line on what was done.

    Args:
        set_aside: move a store that cannot be opened to another name and begin with a new one.
        progress: told the position that was reached, and the log's.

    Raises:
        OperationError: the event log itself, which nothing can rebuild.
        JimbotError: the log or the store cannot be used. What was folded stays; run it again.
    """
    from jimbot.events import open_log
    from jimbot.knowledge import projection as knowledge
    from jimbot.metrics import projection as metrics

    if name == "events":
        raise OperationError(
            "the event log cannot be rebuilt: everything else is made from it",
            hint="Restore it from a backup",
        )
    log = open_log(home, read_only=True)
    moved = ""
    try:
        try:
            store = _open(home, name)
        except JimbotError:
            if not set_aside or _status(home, name).state != "broken":
                raise
            moved = f"; the old one is {_set_aside(_path(home, name))}"
            store = _open(home, name)
        try:
            store.clear()
            if name == "knowledge":
                from jimbot.knowledge.seeds import seed

                seed(store)
            projection: Any = metrics if name == "metrics" else knowledge
            reached, events, helped = 0, 0, ""
            while True:
                head, at = log.position(), store.position()
                if at != reached:
                    helped = "; analytics, which runs, folded the rest"
                batch = log.read(after=at, limit=_BATCH, types=projection.TYPES)
                # What is not full has seen everything up to the position asked for before.
                reached = batch[-1].position if len(batch) == _BATCH else max(head, at)
                try:
                    events += projection.fold(store, batch, position=reached, after=at)
                except JimbotError:
                    if store.position() == at:
                        raise
                    reached = at  # analytics was faster: on from where it is
                    continue
                progress(reached, head)
                if len(batch) < _BATCH:
                    done = f"{name}: {events} events folded, at position {reached}"
                    return f"{done}{helped}{moved}"
        finally:
            store.close()
    finally:
        log.close()


def retain(home: Home, retention: Retention, now: int | None = None) -> dict[str, int]:
    """Forget what the table no longer keeps; how many rows went, by store.

    Safe beside running services: it writes little at a time. The graph is kept in size as it is
    folded, by its owner.

    Raises:
        JimbotError: a store cannot be used.
    """
    from jimbot.events import open_log
    from jimbot.metrics import Keep, open_series

    now = now if now is not None else time.time_ns() // 1_000_000
    log = open_log(home)
    try:
        events = log.scavenge(now - round(retention.log.days * DAY_MS), retention.log.keep)
    finally:
        log.close()
    of = retention.series
    spans = (of.raw_days, of.minute_days, of.hour_days, of.game_days)
    series = open_series(home)
    try:
        rows = series.retain(now, Keep(*(round(days * DAY_MS) for days in spans)))
    finally:
        series.close()
    return {"events": events, "metrics": rows}


def _status(home: Home, name: Name) -> StoreStatus:
    path, engine = _path(home, name), _engine(name)
    on_server = engine.engine == "server"
    found = StoreStatus(
        name=name,
        state="broken",
        engine=engine.engine,
        where=engine.address if on_server else str(path),
        schema_wanted=_wanted(name),
    )
    if path.exists() and not (on_server and name != "metrics"):
        found.bytes = sum(
            part.stat().st_size
            for suffix in ("", "-wal", ".wal")
            if (part := path.with_name(path.name + suffix)).exists()
        )
        found.schema_version = _version(path) if found.bytes and name != "knowledge" else None
    try:
        store = _open(home, name, read_only=True)
        try:
            found.position = store.position()
            if name == "knowledge":
                found.schema_version = store.version()
            if on_server and name == "metrics":
                found.waiting = store.spooled()
                store.ping()
        finally:
            store.close()
    except JimbotError as error:
        found.problem, found.hint = error.message, error.hint
        if type(error).__name__.endswith("Missing"):
            found.state = "missing"
        elif "is in use by" in error.message:
            found.state = "in use"
        elif " away: " in error.message:
            found.state = "away"
        elif found.schema_version is not None and found.schema_version < found.schema_wanted:
            found.state = "old"
        return found
    found.state = "ok"
    if found.schema_version is not None and found.schema_version < found.schema_wanted:
        found.state, found.hint = "old", f"Run: jimbot db migrate {name}"
    return found


def _open(home: Home, name: Name, *, read_only: bool = False) -> Any:
    if name == "events":
        from jimbot.events import open_log

        return open_log(home, read_only=read_only)
    if name == "metrics":
        from jimbot.metrics import open_series

        return open_series(home, read_only=read_only)
    from jimbot.knowledge import open_graph

    return open_graph(home, read_only=read_only)


def _engine(name: Name) -> Engine:
    from jimbot.appliance.stores import stores

    chosen = stores()
    return {"events": chosen.log, "metrics": chosen.series, "knowledge": chosen.graph}[name]


def _path(home: Home, name: Name) -> Path:
    return {"events": home.event_log, "metrics": home.series, "knowledge": home.graph}[name]


def _version(path: Path) -> int | None:
    import sqlite3

    from jimbot.sqlite import stored_version

    try:
        return stored_version(path)
    except sqlite3.Error:
        return None


def _wanted(name: Name) -> int:
    if name == "events":
        from jimbot.events.sqlite import KIND

        return KIND.version
    if name == "metrics":
        from jimbot.metrics.sqlite import KIND

        return KIND.version
    if _engine(name).engine == "server":
        from jimbot.knowledge import memgraph

        return len(memgraph.MIGRATIONS)
    from jimbot.knowledge import ladybug

    return len(ladybug.MIGRATIONS)


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.aside-{stamp}")
    path.rename(aside)
    for suffix in ("-wal", "-shm", ".wal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside
