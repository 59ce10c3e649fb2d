from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

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
def test_every_service_is_as_closed_as_it_was(lab: Lab, units: Path) -> None:
    seen = set()
    for host in (units, lab.build("containedUnits")):
        found = {path.stem: exposure(path) for path in host.glob("*.service")}
        assert {name: level for name, level in found.items() if level > EXPOSURE[name]} == {}
        seen |= set(found)
    assert seen == set(EXPOSURE)


def settings(unit: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.M)


@needs_systemd
@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_servers_get_their_folder_in_a_home_that_is_not_root_s(
    workstation: dict[str, Any], units: Path, tmp_path: Path
) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("jimbot:x:65532:65532::/:\n")
    (tmp_path / "etc/group").write_text("jimbot:x:65532:\n")
    rules = tmp_path / "jimbot.conf"
    rules.write_text("\n".join(rule for rule in workstation["tmpfiles"] if "jimbot" in rule))
    done = subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={tmp_path}", rules],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    home = tmp_path / "var/lib/jimbot"
    assert home.stat().st_uid == 65532

    for name in ("memgraph", "questdb"):
        unit = units / f"podman-jimbot-{name}.service"
        (script,) = [each for each in settings(unit, "ExecStartPre") if "unit-script" in each]
        text = Path(script).read_text().replace("/var/lib/jimbot", str(home))
        data = home / "data" / name
        for mode in (0o700, 0o750):  # what is there stays as its user has it
            subprocess.run(["bash", "-c", text], check=True, timeout=60)
            assert data.stat().st_mode & 0o777 == mode
            data.chmod(0o750)
        # The home is not root's: a link there would have another folder given away.
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        (home / "data").rename(home / "set-aside")
        (home / "data").symlink_to(elsewhere)
        refused = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=60)
        assert (refused.returncode, list(elsewhere.iterdir())) == (1, [])
        assert "a link is in the way" in refused.stderr
        (home / "data").unlink()
        (home / "set-aside").rename(home / "data")


@needs_systemd
def test_the_backups_folder_is_made_where_nothing_is(units: Path, tmp_path: Path) -> None:
    (command,) = settings(units / "jimbot-backup-init.service", "ExecStartPre")
    text = Path(command.split()[0].lstrip("+")).read_text()
    text = re.sub(r"PATH=\S+\n", "", text).replace("jimbot:jimbot", f"{os.getuid()}:{os.getgid()}")
    made, other, link = tmp_path / "disk/repository", tmp_path / "other", tmp_path / "link"
    other.mkdir(mode=0o755)
    link.symlink_to(other)
    for path in (made, other, link):  # as root: a link would give another's folder away
        subprocess.run(["sh", "-c", text, "sh", path], check=True, timeout=60, umask=0o077)
    # Its user gets to it, though the unit's own umask keeps others out.
    modes = [it.stat().st_mode & 0o777 for it in (made.parent, made, other)]
    assert modes == [0o755, 0o700, 0o755]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="prometheus is not installed")
def test_prometheus_takes_the_rules(lab: Lab, table: Appliance) -> None:
    assert (
        f"SUCCESS: {len(table.alerts.rules)} rules found"
        in lab.build("workstationRules").read_text()
    )
