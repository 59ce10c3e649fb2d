from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from jimbot.appliance import Appliance
from tests.nix.lab import Lab

EXPOSURE = tomllib.loads((Path(__file__).with_name("exposure.toml")).read_text())["ceiling"]
# Settings of systemd 254, which an older systemd-analyze does not know. NixOS 24.11 has 256.
NEWER = ("RestartSteps", "RestartMaxDelaySec")

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed"
)


def analyze(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("host", ["workstationUnits", "containedUnits"])
@needs_systemd
def test_systemd_has_nothing_to_complain_of(lab: Lab, host: str) -> None:
    said = analyze("verify", "--man=no", *sorted(lab.build(host).iterdir()))
    complaints = [
        line
        for line in said.splitlines()
        if not (line.endswith(", ignoring.") and any(f"'{name}'" in line for name in NEWER))
    ]
    assert complaints == []


@needs_systemd
def test_a_misspelled_setting_is_seen(units: Path, tmp_path: Path) -> None:
    text = (units / "jimbot-mcp.service").read_text()
    (tmp_path / "jimbot-mcp.service").write_text(text.replace("PrivateTmp=", "PrivatTemp="))
    assert "PrivatTemp" in analyze("verify", "--man=no", tmp_path / "jimbot-mcp.service")


def exposure(path: Path) -> float:
    said = analyze("security", "--offline=true", "--no-pager", path)
    level = re.search(r"exposure level for \S+: ([\d.]+)", said)
    assert level is not None, said
    return float(level[1])


@needs_systemd
def test_every_service_is_as_closed_as_it_was(units: Path) -> None:
    found = {path.stem: exposure(path) for path in units.glob("*.service")}
    assert set(found) == set(EXPOSURE) - {"jimbot-outside"}
    assert {name: level for name, level in found.items() if level > EXPOSURE[name]} == {}


@needs_systemd
def test_what_leads_out_of_containers_is_as_closed_as_it_was(lab: Lab) -> None:
    path = lab.build("containedUnits") / "jimbot-outside.service"
    assert exposure(path) <= EXPOSURE["jimbot-outside"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed")
def test_prometheus_takes_the_rules(lab: Lab, table: Appliance) -> None:
    assert (
        f"SUCCESS: {len(table.alerts.rules)} rules found"
        in lab.build("workstationRules").read_text()
    )
