"""Copies of what servers keep: in the order and by the means that their manuals give."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.appliance.stores import Engine, Stores
from jimbot.operations import backup
from jimbot.operations.backup import runner, servers
from jimbot.operations.restore import restore
from tests.metrics.server import QuestDBServer
from tests.operations.backup.conftest import give_password

CREATE, RELEASE = "CHECKPOINT CREATE", "CHECKPOINT RELEASE"


class CheckpointingQuestDB(QuestDBServer):
    """Knows CHECKPOINT; as QuestDB does, it makes no second one before the first is released."""

    def __init__(self, changes: Callable[[str], None]) -> None:
        super().__init__()
        self.said: list[str] = []
        self.open = False
        self._changes = changes

    def execute(self, sql: str) -> tuple[int, dict[str, Any]]:
        if not sql.startswith("CHECKPOINT"):
            return super().execute(sql)
        if self.status != 200:
            return self.status, {"error": "on purpose"}
        if sql == CREATE and self.open:
            return 400, {"error": "Waiting for CHECKPOINT RELEASE to be called"}
        self.said.append(sql)
        self.open = sql == CREATE
        self._changes(sql)
        return 200, {"ddl": "OK"}


@pytest.fixture
def questdb(home: Home) -> Iterator[CheckpointingQuestDB]:
    data = home.path / "data" / "questdb"
    (data / "db" / "points").mkdir(parents=True)
    column = data / "db" / "points" / "value.d"
    column.write_bytes(b"1")

    def changes(sql: str) -> None:
        column.write_bytes(b"at the checkpoint" if sql == CREATE else b"later")

    server = CheckpointingQuestDB(changes)
    yield server
    server.close()


@pytest.fixture
def eventstore(home: Home) -> Path:
    data = home.path / "data" / "eventstore"
    (data / "index" / "stream-existence").mkdir(parents=True)
    for name in ("chaser.chk", "epoch.chk", "truncate.chk", "writer.chk"):
        (data / name).write_text(f"old {name}")
    for name in ("chunk-000000.000001", "chunk-000001.000000"):
        (data / name).write_text(name)
    (data / "index" / "indexmap").write_text("map")
    (data / "index" / "stream-existence" / "filter.chk").write_text("filter")
    return data


def on(name: str, port: int, appliance: Appliance) -> Appliance:
    schemes = {"series": "http", "graph": "bolt", "log": "esdb"}
    engine = Engine(engine="server", address=f"{schemes[name]}://127.0.0.1:{port}")
    return appliance.model_copy(update={"stores": Stores(**{name: engine})})


def test_questdb_is_copied_at_its_checkpoint(
    questdb: CheckpointingQuestDB, home: Home, tmp_path: Path
) -> None:
    engine = Engine(engine="server", address=f"http://127.0.0.1:{questdb.port}")
    data, to = home.path / "data" / "questdb", tmp_path / "copy"
    servers.questdb(engine, home, data, to)
    assert questdb.said == [CREATE, RELEASE]
    assert (to / "db" / "points" / "value.d").read_bytes() == b"at the checkpoint"
    assert (to / "_restore").exists()
    assert not (data / "_restore").exists()


def test_questdb_is_released_when_the_copy_fails_and_after_a_killed_run(
    questdb: CheckpointingQuestDB, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(engine="server", address=f"http://127.0.0.1:{questdb.port}")
    data = home.path / "data" / "questdb"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            servers.questdb(engine, home, data, tmp_path / "copy")
    assert not questdb.open
    questdb.open = True  # left by a run that was killed
    servers.questdb(engine, home, data, tmp_path / "copy")
    assert questdb.said[-3:] == [RELEASE, CREATE, RELEASE]


def test_eventstore_is_copied_in_the_order_of_its_manual(
    eventstore: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    real = shutil.copy2

    def watched(source: Path, to: Path) -> None:
        order.append(str(source.relative_to(eventstore)))
        real(source, to)

    monkeypatch.setattr(shutil, "copy2", watched)
    servers.eventstore(eventstore, eventstore / "index", tmp_path / "copy")
    assert order == [
        "index/stream-existence/filter.chk",
        "index/indexmap",
        "chaser.chk",
        "epoch.chk",
        "truncate.chk",
        "writer.chk",
        "chunk-000000.000001",
        "chunk-000001.000000",
    ]
    # What a server that is started on the copy cuts the log to is what was read, not what was cut
    # to before.
    assert (tmp_path / "copy" / "truncate.chk").read_text() == "old chaser.chk"


def test_memgraph_writes_a_snapshot_that_is_copied_while_it_is_locked(
    home: Home, tmp_path: Path
) -> None:
    pytest.importorskip("neo4j", reason="pip install 'jimbot[databases]'")
    from tests.operations.backup.memgraph import MemgraphServer

    data = home.path / "data" / "memgraph"
    server = MemgraphServer(data)
    try:
        engine = Engine(engine="server", address=f"bolt://127.0.0.1:{server.port}")
        for number in range(2):
            to = tmp_path / str(number)
            servers.memgraph(engine, home, data, to)
            (copied,) = (to / "snapshots").iterdir()
            assert copied.read_text() == f"graph {number}"
        assert server.statements[:3] == [
            "CREATE SNAPSHOT",
            "LOCK DATA DIRECTORY",
            "UNLOCK DATA DIRECTORY",
        ]
        server.refuse = "CREATE SNAPSHOT"
        with pytest.raises(backup.BackupError, match=r"makes no snapshot: .*on purpose"):
            servers.memgraph(engine, home, data, tmp_path / "no")
    finally:
        server.close()


def test_a_backup_with_servers_goes_there_and_back(
    appliance: Appliance,
    filled: Home,
    questdb: CheckpointingQuestDB,
    eventstore: Path,
    tmp_path: Path,
) -> None:
    stores = Stores(
        log=Engine(engine="server", address="esdb://127.0.0.1:1?tls=false"),
        series=Engine(engine="server", address=f"http://127.0.0.1:{questdb.port}"),
    )
    served = appliance.model_copy(update={"stores": stores})
    backup.run(served, filled, "daily")
    eventstore.joinpath("chunk-000001.000000").write_text("more")
    hourly = backup.run(served, filled, "hourly")
    assert questdb.said == [CREATE, RELEASE]  # the daily one alone
    result = restore(served, filled, target=tmp_path / "other")
    assert result.sources["servers/eventstore"] == hourly.snapshot
    assert result.sources["servers/questdb"] != hourly.snapshot
    other = tmp_path / "other" / "data"
    assert (other / "eventstore" / "chunk-000001.000000").read_text() == "more"
    assert (other / "eventstore" / "index" / "indexmap").read_text() == "map"
    assert (other / "questdb" / "db" / "points" / "value.d").read_bytes() == b"at the checkpoint"
    # One server alone.
    chunk = eventstore / "chunk-000001.000000"
    chunk.write_text("damaged")
    with pytest.raises(backup.BackupError, match=r"something in .*data/eventstore already"):
        restore(served, filled, part="servers/eventstore")
    alone = restore(served, filled, part="servers/eventstore", yes=True)
    assert chunk.read_text() == "more"
    assert (Path(alone.safety_copy) / chunk.name).read_text() == "damaged"


def test_what_can_be_made_again_may_be_missing_the_log_may_not(
    appliance: Appliance, home: Home, repository: Path
) -> None:
    give_password(home)
    (home.path / "policy.npz").write_bytes(b"x")
    result = backup.run(on("graph", 1, appliance), home, "daily")
    assert "the data of Memgraph are not in" in result.left_out[0]
    assert "[backup.servers]" in result.left_out[0]
    with pytest.raises(backup.BackupError, match="the data of EventStoreDB are not in"):
        backup.run(on("log", 1, appliance), home, "hourly")
    assert len(runner.repository(appliance, home).snapshots()) == 1
