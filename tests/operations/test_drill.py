"""A backup is restored, started and asked: from an empty machine to health."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from jimbot.analytics.alerts import silences
from jimbot.appliance import Appliance, Home, load
from jimbot.appliance.stores import Engine, Stores
from jimbot.cli import main
from jimbot.metrics.projection import fold
from jimbot.metrics.sqlite import SQLiteSeries
from jimbot.operations import backup, drill
from jimbot.security import audit
from tests.conftest import table_on_free_ports
from tests.metrics.events import game
from tests.operations.backup.conftest import empty_repository, filled, repository

__all__ = ["empty_repository", "filled", "repository"]


def test_a_whole_machine_comes_back_and_is_healthy(appliance: Appliance, filled: Home) -> None:
    pytest.importorskip("ladybug", reason="pip install 'jimbot[embedded]'")
    backup.run(appliance, filled, "daily")
    done = CliRunner().invoke(main, ["--home", str(filled.path), "drill", "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    found = {check["name"]: (check["ok"], check["found"]) for check in report["checks"]}
    assert found["boot"] == (True, "healthy")
    assert found["events"] == (True, "40")
    assert found["games"] == (True, "20")
    assert found["store knowledge"] == (True, "ok")  # it was not in the backup: made from the log
    assert report["boot_s"] > 0
    assert list((filled.path / "backup").glob("drill-*")) == []
    assert [each["action"] for each in audit.entries(filled)] == ["drill"]


def test_a_log_of_another_history_is_seen(
    appliance: Appliance, filled: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.run(appliance, filled, "hourly")
    filled.event_log.unlink()
    for beside in filled.event_log.parent.glob("log.sqlite-*"):
        beside.unlink()
    from jimbot.events import Event, open_log
    from tests.metrics.events import START

    log = open_log(filled)
    log.append([("s", Event(type="HEARTBEAT", source="y", timestamp=START)) for _ in range(50)])
    log.close()
    monkeypatch.setattr(drill, "_boot", lambda *_: [])
    monkeypatch.setattr(drill, "_stores", lambda *_: [])
    report = drill.drill(appliance, filled)
    assert report.exit_code == 1
    assert [check.name for check in report.checks if not check.ok] == ["history"]


@pytest.fixture
def living(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """The table's QuestDB and Memgraph, as sockets at which nobody must knock."""
    table = table_on_free_ports(tmp_path)
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    text = table.read_text()
    for server, (name, scheme, port) in zip(
        servers, (("series", "http", 9000), ("graph", "bolt", 7687)), strict=True
    ):
        text = re.sub(
            rf'(\[stores\.{name}\]\n)engine = .*\naddress = "{scheme}://127.0.0.1:{port}"',
            rf'\1engine = "server"\naddress = "{scheme}://127.0.0.1:{server.getsockname()[1]}"',
            text,
        )
    table.write_text(text)
    monkeypatch.setenv("JIMBOT_TABLE", str(table))
    chosen = load().stores
    assert (chosen.series.engine, chosen.graph.engine) == ("server", "server")
    yield servers
    for server in servers:
        server.close()


def _knocked(servers: list[socket.socket]) -> bool:
    return bool(select.select(servers, [], [], 0)[0])


def test_stores_on_living_servers_are_made_from_the_log_and_the_servers_left_alone(
    appliance: Appliance, filled: Home, living: list[socket.socket]
) -> None:
    pytest.importorskip("ladybug", reason="pip install 'jimbot[embedded]'")
    # What lies beside a server is not a series of its own.
    series = SQLiteSeries(filled.series)
    fold(series, [game(99, won=False)])
    series.close()
    backup.run(appliance, filled, "daily")
    done = CliRunner().invoke(main, ["--home", str(filled.path), "drill", "--json"])
    assert done.exit_code == 0, done.output
    assert not _knocked(living)
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert found["games"]["found"] == "20"
    for store in ("events", "metrics", "knowledge"):
        assert found[f"store {store}"]["ok"] is True, found
    assert "made from the log: series, graph" in done.stderr


def test_without_an_engine_for_the_graph_nothing_starts_on_a_living_server(
    appliance: Appliance,
    filled: Home,
    living: list[socket.socket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backup.run(appliance, filled, "hourly")
    monkeypatch.setattr(drill, "find_spec", lambda name: None)
    report = drill.drill(load(), filled)
    assert report.exit_code == 2
    assert not _knocked(living)
    assert [(check.name, check.ok) for check in report.checks][-1] == ("boot", None)
    assert "graph" in report.checks[-1].found


def test_what_was_not_looked_at_is_not_well(appliance: Appliance, filled: Home) -> None:
    backup.run(appliance, filled, "hourly")
    stores = Stores(log=Engine(engine="server", address="esdb://127.0.0.1:1?tls=false"))
    report = drill.drill(appliance.model_copy(update={"stores": stores}), filled)
    assert report.exit_code == 2
    assert report.boot_s is None


def test_a_table_that_nixos_wrote_gets_other_ports_too(
    appliance: Appliance, tmp_path: Path
) -> None:
    """Its ports are in sections; left as they are, the drill would ask the living services."""
    text = "\n".join(
        re.sub(r"^ports = \{(.*)\}$", "", line) if line.startswith("ports = ") else line
        for line in resources.files("jimbot.appliance")
        .joinpath("appliance.toml")
        .read_text()
        .split("\n")
    )
    for name, service in appliance.services.items():
        text += f"\n[services.{name}.ports]\n"
        text += "".join(f"{label} = {port}\n" for label, port in service.ports.items())
    table = tmp_path / "table.toml"
    table.write_text(text)
    moved = drill._own_table(table, Home(tmp_path / "copy"))
    assert moved == load(table)
    for name, service in appliance.services.items():
        assert moved.services[name].ports.keys() == service.ports.keys()
        assert not set(moved.services[name].ports.values()) & set(service.ports.values())


def test_nobody_is_told_of_what_the_drill_s_analytics_sees(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A living webhook's file may be read by it, and the backup brings along what fired."""
    monkeypatch.setattr(drill, "SERVICES", ())
    fired = home.path / "alerts" / "state.json"
    fired.parent.mkdir()
    fired.write_text("[]")
    with drill._running(home, tmp_path / "table.toml"):
        (silence,) = silences.read(home, time.time() + 3600)
        assert silence.mutes("BackupStale", {})
        assert not fired.exists()
