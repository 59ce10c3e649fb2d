"""A backup is restored, started and asked: from an empty machine to health."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from jimbot.appliance import Appliance, Home, load
from jimbot.appliance.stores import Engine, Stores
from jimbot.cli import main
from jimbot.operations import backup, drill
from jimbot.security import audit
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
    drill._on_free_ports(table)
    moved = load(table)
    for name, service in appliance.services.items():
        assert moved.services[name].ports.keys() == service.ports.keys()
        assert not set(moved.services[name].ports.values()) & set(service.ports.values())
