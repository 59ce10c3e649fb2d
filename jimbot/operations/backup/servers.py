"""Copies of what servers keep, by each one's own means, while they run.

- EventStoreDB: files, in the order of its manual: the index's checkpoints, the index, the
  database's checkpoints, the chunks. A checkpoint then never points past what was copied.
- QuestDB: the files, between CHECKPOINT CREATE and CHECKPOINT RELEASE.
- Memgraph: the snapshot that CREATE SNAPSHOT writes, with its data directory locked.

They lie under `servers/NAME` of a backup, ready to be a new server's data directory.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import httpx

from jimbot.appliance import Appliance, Home
from jimbot.appliance.stores import Engine
from jimbot.errors import JimbotError, MissingExtra
from jimbot.operations.backup.errors import BackupError
from jimbot.operations.backup.manifest import SERVERS

_CHECKPOINT_S = 600.0


def copy_made_from_log(
    appliance: Appliance, home: Home, to: Path, progress: Callable[[str], None]
) -> list[str]:
    """Copy QuestDB and Memgraph, where [stores] names them; what was left out, a line each.

    Called after `metrics/` was copied: points leave its spool when QuestDB has them.
    """
    left_out = []
    stores, data = appliance.stores, appliance.backup.servers
    if stores.series.engine == "server":
        progress("copying QuestDB")
        try:
            questdb(stores.series, home, home.path / data.questdb, to / SERVERS / "questdb")
        except JimbotError as error:
            left_out.append(f"QuestDB: {error}")
    if stores.graph.engine == "server":
        progress("copying Memgraph")
        try:
            memgraph(stores.graph, home, home.path / data.memgraph, to / SERVERS / "memgraph")
        except JimbotError as error:
            left_out.append(f"Memgraph: {error}")
    return left_out


def copy_log(appliance: Appliance, home: Home, to: Path, progress: Callable[[str], None]) -> None:
    """Copy EventStoreDB, where [stores] names it.

    Raises:
        BackupError: it could not be copied, and nothing can make it again.
    """
    if appliance.stores.log.engine == "server":
        progress("copying EventStoreDB")
        data = appliance.backup.servers
        eventstore(
            home.path / data.eventstore,
            home.path / data.eventstore_index,
            to / SERVERS / "eventstore",
        )


def eventstore(data: Path, index: Path, to: Path) -> None:
    """Copy a database of EventStoreDB while it runs.

    Raises:
        BackupError: it is not there.
    """
    _check_there(data, "EventStoreDB", "eventstore")
    checkpoints = sorted(data.glob("*.chk"))
    chunks = sorted(data.glob("chunk-*"))
    if not chunks:
        raise BackupError(f"there is no chunk of EventStoreDB in {data}", hint=_WHERE)
    files = [path for path in sorted(index.rglob("*")) if path.is_file()] if index.is_dir() else []
    of_index = [path for path in files if path.suffix == ".chk"]
    for path in (*of_index, *(path for path in files if path.suffix != ".chk")):
        _copy(path, to / "index" / path.relative_to(index))
    for path in (*checkpoints, *chunks):
        _copy(path, to / path.name)
    chaser = to / "chaser.chk"
    if not chaser.exists():
        raise BackupError(f"there is no chaser.chk of EventStoreDB in {data}", hint=_WHERE)
    # What a server that is started on the copy cuts its log to.
    shutil.copyfile(chaser, to / "truncate.chk")


def questdb(engine: Engine, home: Home, data: Path, to: Path) -> None:
    """Copy QuestDB's files at a checkpoint.

    Raises:
        BackupError: they are not there, or the server is away or refuses.
    """
    _check_there(data, "QuestDB", "questdb")
    login = (engine.user, engine.secret(home)) if engine.user else None
    with httpx.Client(base_url=engine.address, timeout=_CHECKPOINT_S, auth=login) as client:

        def execute(sql: str) -> str:
            """What it did not like; empty when it did it."""
            try:
                response = client.get("/exec", params={"query": sql})
                answer = response.json()
            except (httpx.HTTPError, ValueError) as error:
                raise BackupError(
                    f"QuestDB at {engine.address} is away: {error}", hint="Start it"
                ) from error
            return str(answer.get("error", "")) if response.status_code != 200 else ""

        refused = execute("CHECKPOINT CREATE")
        if refused:
            # A backup that was killed left one behind; ours is the only one that runs now.
            execute("CHECKPOINT RELEASE")
            refused = execute("CHECKPOINT CREATE")
        if refused:
            raise BackupError(f"QuestDB makes no checkpoint: {refused}", hint="See its log")
        try:
            _copy_tree(data, to)
        finally:
            released = execute("CHECKPOINT RELEASE")
        if released:
            raise BackupError(f"QuestDB does not release its checkpoint: {released}")
    # Tells a server that is started on the copy to begin at the checkpoint.
    (to / "_restore").touch()


def memgraph(engine: Engine, home: Home, data: Path, to: Path) -> None:
    """Have Memgraph write a snapshot, and copy it.

    Raises:
        BackupError: there is none afterwards, or the server is away or refuses.
        MissingExtra: the driver is not installed.
    """
    try:
        import neo4j
        from neo4j import exceptions
    except ImportError:
        raise MissingExtra("neo4j", "databases") from None
    _check_there(data, "Memgraph", "memgraph")
    snapshots = data / "snapshots"
    before = _newest(snapshots)
    login = (engine.user, engine.secret(home)) if engine.user else None
    failures = (exceptions.Neo4jError, exceptions.DriverError, OSError)
    try:
        with (
            neo4j.GraphDatabase.driver(engine.address, auth=login) as driver,
            driver.session() as session,
        ):
            session.run("CREATE SNAPSHOT").consume()
            session.run("LOCK DATA DIRECTORY").consume()
            try:
                newest = _newest(snapshots)
                if newest is None or newest == before:
                    raise BackupError(f"Memgraph's snapshot is not in {snapshots}", hint=_WHERE)
                _copy(newest[1], to / "snapshots" / newest[1].name)
            finally:
                session.run("UNLOCK DATA DIRECTORY").consume()
    except failures as error:
        raise BackupError(
            f"Memgraph at {engine.address} makes no snapshot: {error}", hint="See its log"
        ) from error


_WHERE = "Mend [backup.servers] in the table: it names the servers' data on this machine"


def _check_there(data: Path, title: str, name: str) -> None:
    if not data.is_dir():
        raise BackupError(f"the data of {title} are not in {data} ({name})", hint=_WHERE)


def _newest(snapshots: Path) -> tuple[int, Path] | None:
    found: Iterable[Path] = snapshots.iterdir() if snapshots.is_dir() else ()
    whole = [path for path in found if path.is_file() and not path.name.startswith(".")]
    return max(((path.stat().st_mtime_ns, path) for path in whole), default=None)


def _copy_tree(data: Path, to: Path) -> None:
    for path in sorted(data.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with suppress(FileNotFoundError):
                _copy(path, to / path.relative_to(data))


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, to)
