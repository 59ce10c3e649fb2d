"""The example host, evaluated against NixOS' own options: it agrees with the table."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest

from jimbot.appliance import Appliance
from jimbot.operations import shares
from scripts.lock import packages
from tests.nix.lab import Lab, NixError

Facts = dict[str, Any]
NATIVE = ("mcp", "analytics", "claude", "ray-head", "trainer")


def plain(lab: Lab, name: str) -> Facts:
    """A host that says one thing: `plain` of standin/default.nix."""
    facts: Facts = lab.evaluate(f"plain.{name}")
    return facts


def service(facts: Facts, name: str) -> dict[str, Any]:
    config: dict[str, Any] = facts["services"][name]["serviceConfig"]
    return config


def test_the_workstation_has_nothing_to_complain_of(workstation: Facts) -> None:
    assert workstation["failed"] == []
    assert workstation["warnings"] == []


def test_only_mcp_and_ssh_are_open(workstation: Facts, table: Appliance) -> None:
    opened = set(workstation["tcp"]) - set(workstation["ssh"])
    assert opened == {table.services["mcp"].ports["websocket"]}
    assert workstation["udp"] == []


def test_slices_are_the_table_s_groups(workstation: Facts, table: Appliance) -> None:
    slices = workstation["slices"]
    assert len(slices) == len(table.groups) + 1
    for name, group in table.groups.items():
        found = slices["jimbot-" + shares.group_path(table, name).replace("/", "-")]
        assert found["CPUWeight"] == table.placement.cpu_weight[name]
        assert found["AllowedMemoryNodes"] == table.placement.numa_nodes
        assert found["MemorySwapMax"] == 0
        if name != "system":
            assert found["MemoryMax"] == f"{group.memory_mb}M"
            high = int(group.memory_mb * table.placement.memory_high)
            assert found["MemoryHigh"] == f"{high}M"
            assert found["AllowedCPUs"] == table.placement.cpus[name]


def test_units_are_the_table_s_services(workstation: Facts, table: Appliance) -> None:
    for name in NATIVE:
        row, unit = table.services[name], service(workstation, f"jimbot-{name}")
        assert unit["ExecStart"].endswith("/bin/jimbot " + " ".join(row.command))
        assert unit["MemoryMax"] == f"{shares.memory_mb(table, name, 'native', 1.0)}M"
        assert unit["OOMScoreAdjust"] == table.placement.oom_score[row.group]
        assert unit["NUMAPolicy"] == table.placement.numa_policy
        path = shares.group_path(table, row.group).replace("/", "-")
        assert unit["Slice"] == f"jimbot-{path}.slice"
        assert unit["Restart"] == "always"
        assert unit["RestartSec"] == table.supervision.backoff_first_s
        assert unit["RestartMaxDelaySec"] == table.supervision.backoff_limit_s


def test_a_unit_has_started_when_it_is_healthy(workstation: Facts, table: Appliance) -> None:
    for name in NATIVE:
        health = table.services[name].health
        assert health is not None
        gate = service(workstation, f"jimbot-{name}")["ExecStartPost"]
        gate = gate[0] if isinstance(gate, list) else gate
        assert gate.endswith(f"/bin/jimbot health {name} --wait --timeout {health.start_s:g}")


def test_what_a_service_waits_for_is_ordered_before_it(
    workstation: Facts, table: Appliance
) -> None:
    for name in NATIVE:
        unit = workstation["services"][f"jimbot-{name}"]
        for other in (*table.services[name].depends, *table.services[name].after):
            assert f"jimbot-{other}.service" in unit["after"]
        for other in table.services[name].depends:
            assert f"jimbot-{other}.service" in unit["requires"]


def test_a_store_s_server_that_is_away_stops_nothing(workstation: Facts) -> None:
    """Schemas cannot be made then: that is tried again, and all else starts degraded."""
    for name in NATIVE:
        unit = workstation["services"][f"jimbot-{name}"]
        assert "podman-jimbot-memgraph.service" in unit["after"]
        assert "jimbot-init.service" in unit["after"]
        assert "jimbot-init.service" in unit["wants"]
        assert not {"jimbot-init.service", "podman-jimbot-memgraph.service"} & set(unit["requires"])
    init = workstation["services"]["jimbot-init"]
    assert init["serviceConfig"]["Restart"] == "on-failure"
    assert init["serviceConfig"]["RestartSec"] > 0
    assert init["unitConfig"]["StartLimitIntervalSec"] == "0"


def test_the_trainer_sees_the_ray_head_s_sockets_and_processes(workstation: Facts) -> None:
    joins = {
        name: workstation["services"][f"jimbot-{name}"]["unitConfig"].get("JoinsNamespaceOf")
        for name in NATIVE
    }
    assert joins.pop("trainer") == "jimbot-ray-head.service"
    assert set(joins.values()) == {None}
    for name in ("ray-head", "trainer"):
        assert service(workstation, f"jimbot-{name}")["PrivateTmp"] is True
    seen = {name: service(workstation, f"jimbot-{name}")["ProtectProc"] for name in NATIVE}
    assert seen.pop("trainer") == "default"
    assert set(seen.values()) == {"invisible"}


def test_the_trainer_dies_first_and_the_stores_last(workstation: Facts) -> None:
    scores = {name: service(workstation, f"jimbot-{name}")["OOMScoreAdjust"] for name in NATIVE}
    scores["stores"] = service(workstation, "podman-jimbot-questdb")["OOMScoreAdjust"]
    assert max(scores, key=lambda name: scores[name]) in ("trainer", "ray-head")
    assert min(scores, key=lambda name: scores[name]) == "stores"


def test_only_the_trainer_sees_the_gpu_and_nothing_but_it(
    workstation: Facts, table: Appliance
) -> None:
    for name in NATIVE:
        unit = service(workstation, f"jimbot-{name}")
        assert unit["DevicePolicy"] == "closed"
        if table.services[name].vram_mb:
            assert unit["PrivateDevices"] is False
            assert all(device.startswith("char-nvidia") for device in unit["DeviceAllow"])
        else:
            assert unit["PrivateDevices"] is True
            assert "DeviceAllow" not in unit


def test_only_what_compiles_may_write_code(workstation: Facts, table: Appliance) -> None:
    for name in NATIVE:
        writes = not service(workstation, f"jimbot-{name}")["MemoryDenyWriteExecute"]
        assert writes == ("train" in table.images[table.services[name].image].extras)


def test_only_mcp_and_the_gateway_speak_to_others(workstation: Facts) -> None:
    open_to_others = {
        name
        for name in NATIVE
        if service(workstation, f"jimbot-{name}").get("IPAddressDeny") != "any"
    }
    assert open_to_others == {"mcp", "claude"}


def test_secrets_are_handed_over_as_credentials_and_stay_out_of_the_store(
    workstation: Facts,
) -> None:
    assert service(workstation, "jimbot-claude")["LoadCredential"] == [
        "claude:/run/secrets/jimbot-claude"
    ]
    ids = {each.split(":")[0] for each in service(workstation, "jimbot-mcp")["LoadCredential"]}
    assert ids == {"mcp-tokens", "tls-certificate", "tls-key"}
    for unit in workstation["services"].values():
        for each in unit["serviceConfig"].get("LoadCredential", []):
            assert not each.split(":", 1)[1].startswith("/nix/store")


def test_the_clock_does_backups_drills_and_forgetting(workstation: Facts, lab: Lab) -> None:
    found = {name: timer["OnCalendar"] for name, timer in workstation["timers"].items()}
    assert found == {
        "jimbot-backup-hourly": "*-*-* 00/1:00:00",
        "jimbot-backup-daily": "daily",
        "jimbot-backup-weekly": "weekly",
        "jimbot-drill": "weekly",
        "jimbot-retain": "daily",
    }
    assert all(timer["Persistent"] for timer in workstation["timers"].values())
    for kind in ("hourly", "daily", "weekly"):
        unit = service(workstation, f"jimbot-backup-{kind}")
        assert f"/bin/jimbot backup run --kind {kind} " in unit["ExecStart"]
    # A drill cannot start a log that a server keeps, and says so with 2.
    assert "SuccessExitStatus" not in service(workstation, "jimbot-drill")
    assert service(plain(lab, "elsewhere"), "jimbot-drill")["SuccessExitStatus"] == 2
    # The clock has several begin in the same minutes.
    for name in ("backup-hourly", "backup-daily", "backup-weekly", "drill", "restore"):
        assert service(workstation, f"jimbot-{name}")["ExecStart"].endswith(" --wait 14400")


def test_a_restore_begins_when_all_have_stopped(workstation: Facts, contained: Facts) -> None:
    for facts in (workstation, contained):
        unit = facts["services"]["jimbot-restore"]
        assert unit["conflicts"] == ["jimbot.target"]
        # Whatever keeps something in the home: our services, the stores' servers, their schemas.
        running = {
            f"{name}.service"
            for name, other in facts["services"].items()
            if "jimbot.target" in other["partOf"]
        } - {"jimbot-outside.service", "podman-jimbot-network.service"}
        assert "podman-jimbot-memgraph.service" in running
        assert running <= set(unit["after"])


def test_backups_go_to_their_disk_or_nowhere(workstation: Facts, lab: Lab) -> None:
    needing = {"backup-init", "backup-hourly", "backup-daily", "backup-weekly", "drill", "restore"}
    for name, unit in workstation["services"].items():
        needs = name.removeprefix("jimbot-") in needing
        disk = ["/var/backup/jimbot"] if needs else None
        assert unit["unitConfig"].get("RequiresMountsFor") == disk
        # With a dash: a folder that is not there yet does not keep the unit from starting.
        written = [p for p in unit["serviceConfig"].get("ReadWritePaths", []) if "backup" in p]
        assert written == (["-/var/backup/jimbot"] if needs else [])
    # It is made where the disk is, not under the place that waits for it.
    assert not [rule for rule in workstation["tmpfiles"] if "/var/backup" in rule]
    (made,) = service(workstation, "jimbot-backup-init")["ExecStartPre"]
    assert made.startswith("+/nix/store/")
    assert made.endswith("-jimbot-backup-folder /var/backup/jimbot")

    lost = "backups go to the disk of this machine"
    assert not [each for each in workstation["warnings"] if lost in each]
    assert [each for each in plain(lab, "beside")["warnings"] if f"{lost} (/var/backup2" in each]

    elsewhere = plain(lab, "elsewhere")["services"]
    for name in needing:
        unit = elsewhere[f"jimbot-{name}"]
        assert not unit["unitConfig"].get("RequiresMountsFor")
        assert not unit["serviceConfig"].get("ExecStartPre")


def test_the_journal_keeps_what_the_environment_says(workstation: Facts, table: Appliance) -> None:
    assert f"MaxRetentionSec={table.logs.days['production']:g}day" in workstation["journald"]
    assert f"SystemMaxUse={table.logs.most_mb:g}M" in workstation["journald"]


def test_prometheus_asks_every_service_that_has_metrics(
    workstation: Facts, table: Appliance
) -> None:
    asked = {target for targets in workstation["scraped"] for target in targets}
    expected = {
        f"127.0.0.1:{table.services[name].ports['http']}"
        for name in NATIVE
        if "http" in table.services[name].ports
    }
    assert asked == expected
    assert workstation["rules"]


def test_grafana_shows_the_dashboards_on_this_machine_alone(
    workstation: Facts, contained: Facts, lab: Lab
) -> None:
    found = workstation["grafana"]
    assert found["listens"] == "127.0.0.1"
    (source,) = found["sources"]
    assert source["url"] == "http://127.0.0.1:9090"
    # Its password is a credential, and in no file of the store.
    assert found["credentials"] == ["admin-password:/run/secrets/jimbot-grafana"]
    assert found["password"] == "$__file{/run/credentials/grafana.service/admin-password}"
    files = list(lab.build("dashboards").glob("*.json"))
    assert files
    for file in files:
        panels = json.loads(file.read_text())["panels"]
        assert {panel["datasource"]["uid"] for panel in panels if "datasource" in panel} == {
            source["uid"]
        }
    assert contained["grafana"] == {}  # no password is given there


def test_the_gpu_s_driver_is_one_that_torch_runs_on(
    workstation: Facts, contained: Facts, lab: Lab
) -> None:
    # CUDA 13 wants 580 or newer; NixOS 24.11's own is older.
    (cuda,) = [row["version"] for row in packages() if row["name"] == "cuda-toolkit"]
    assert cuda.split(".")[0] == "13"
    for facts in (workstation, contained):
        found = facts["nvidia"]
        assert found["drivers"] == ["nvidia"]
        assert int(found["version"].split(".")[0]) >= 580
        assert found["open"]
        assert found["modesetting"]
        assert found["nvidiaPersistenced"]
        assert found["toolkit"] == (facts is contained)
    assert plain(lab, "outdated")["failed"] == [
        "services.jimbot: torch needs NVIDIA's driver 580 or newer, hardware.nvidia.package is"
        " 565.77. Leave that option out, name a newer one, or set services.jimbot.gpu.enable ="
        " false."
    ]


def test_off_peak_hours_are_in_the_table_that_runs(workstation: Facts, lab: Lab) -> None:
    path = workstation["services"]["jimbot-trainer"]["environment"]["JIMBOT_TABLE"]
    assert path == str(lab.build("tables.workstation"))
    with open(path, "rb") as file:
        assert tomllib.load(file)["training"]["off_peak"] == ["22:00-07:00"]


def test_settings_that_do_not_hold_do_not_build(lab: Lab) -> None:
    with pytest.raises(NixError, match="port 8090 is used by analytics and claude"):
        lab.build("tables.twice")


def test_a_server_that_settings_name_runs_too(lab: Lab, table: Appliance) -> None:
    facts = plain(lab, "settled")
    assert set(facts["containers"]) == {"jimbot-memgraph"}
    assert "podman-jimbot-memgraph.service" in facts["services"]["jimbot-mcp"]["after"]


def test_webhooks_that_nothing_reaches_are_told(lab: Lab) -> None:
    unreached = "alerts reach no webhook"
    assert [each for each in plain(lab, "unheard")["warnings"] if unreached in each]
    assert not [each for each in lab.evaluate("alerting")["warnings"] if unreached in each]


def test_the_command_knows_what_runs_here(workstation: Facts, contained: Facts, lab: Lab) -> None:
    stores = {"memgraph", "questdb"}
    for facts, services in (
        (workstation, {*NATIVE, *stores}),
        (contained, {*NATIVE, "ray-worker", "memgraph"}),
        (plain(lab, "untrained"), {"mcp", "analytics", "claude"}),
    ):
        shell = facts["shell"]
        assert set(shell["JIMBOT_SERVICES"].split(",")) == services
        assert shell["JIMBOT_BACKUP"] == "/var/backup/jimbot"
        assert shell["JIMBOT_PROFILE"] == "workstation"
        # A unit has them all, as a container has.
        told = [unit["environment"] for unit in facts["services"].values()]
        told += [row["environment"] for row in facts["containers"].values()]
        for environment in told:
            if "JIMBOT_HOME" in environment:
                assert shell.items() <= environment.items()
        assert shell["JIMBOT_SERVICES"] in {each.get("JIMBOT_SERVICES") for each in told}


def test_servers_are_pinned_limited_and_on_loopback(workstation: Facts, table: Appliance) -> None:
    containers = workstation["containers"]
    assert set(containers) == {"jimbot-memgraph", "jimbot-questdb"}
    for name in ("memgraph", "questdb"):
        row, found = table.services[name], containers[f"jimbot-{name}"]
        image = table.images[row.image]
        assert found["image"] == f"{row.image}@{image.digest}"
        assert all(port.startswith("127.0.0.1:") for port in found["ports"])
        assert f"--memory={row.memory_mb}m" in found["extraOptions"]
        assert f"--cpuset-cpus={table.placement.cpus[row.group]}" in found["extraOptions"]
        data = getattr(table.backup.servers, name)
        assert [mount.split("/jimbot/")[1] for mount in found["volumes"]] == [
            f"{data}:{image.data}:U"
        ]
        assert found["environment"].items() >= image.environment.items()
        assert found["cmd"] == image.told(row.memory_mb * table.placement.memory_high)
        assert "--cap-drop=all" in found["extraOptions"]
        assert "--security-opt=no-new-privileges" in found["extraOptions"]


def test_containers_share_one_closed_network_whose_outside_is_loopback(
    contained: Facts, table: Appliance
) -> None:
    assert contained["failed"] == []
    containers = dict(contained["containers"])
    network = containers.pop("jimbot-network")
    assert "--network=none" in network["extraOptions"]
    assert network["ports"] == []
    assert f"{network['environment']['JIMBOT_TABLE']}:ro" in network["volumes"][0]
    ours = [table.services[name.removeprefix("jimbot-")] for name in containers]
    assert {str(port) for row in ours for port in row.ports.values()} <= set(network["cmd"])
    outside = contained["services"]["jimbot-outside"]["serviceConfig"]
    led = outside["ExecStart"].split()
    assert "--outside" in led
    assert str(table.services["mcp"].ports["websocket"]) in led
    # `jimbot health` asks there as it does natively.
    for row in ours:
        if row.command and row.health:
            assert str(row.ports[row.health.port]) in led
        if not row.command:
            assert {str(port) for port in row.ports.values()} <= set(led)
    # Both sides meet in the same folder, which is theirs.
    (folder,) = outside["ReadWritePaths"]
    assert folder in led
    assert folder in network["cmd"]
    assert f"{folder}:{folder}" in network["volumes"]
    assert f"d {folder} 0700 jimbot jimbot -" in contained["tmpfiles"]
    assert contained["tcp"] == []
    for name, found in containers.items():
        row = table.services[name.removeprefix("jimbot-")]
        options = found["extraOptions"]
        assert "--network=container:jimbot-network" in options
        assert found["ports"] == []
        memory = shares.memory_mb(table, name.removeprefix("jimbot-"), "containers", 1.0)
        assert f"--memory={memory}m" in options
        assert f"--cpuset-cpus={table.placement.cpus[row.group]}" in options
        assert "--cap-drop=all" in options
        if row.command:
            assert "--read-only" in options
            # Ray is several nodes there, which join the head.
            head = table.ray_head if row.group == "training" else None
            assert found["environment"].get("JIMBOT_RAY_HEAD") == head
            assert ("--device=nvidia.com/gpu=all" in options) == bool(row.vram_mb)


def test_the_home_is_there_before_anything_mounts_it(workstation: Facts, contained: Facts) -> None:
    for facts in (workstation, contained):
        assert "d /var/lib/jimbot 0700 jimbot jimbot -" in facts["tmpfiles"]


def test_containers_have_a_way_out_for_those_that_are_named(
    contained: Facts, lab: Lab, table: Appliance
) -> None:
    def seen(facts: Facts) -> tuple[list[str], dict[str, str], dict[str, Any]]:
        unit = facts["services"]["jimbot-outside"]["serviceConfig"]
        told = facts["containers"]
        proxies = {
            name: value
            for name in told
            for variable, value in told[name]["environment"].items()
            if variable in ("HTTPS_PROXY", "JIMBOT_WAY_OUT")
        }
        return unit["ExecStart"].split(), proxies, unit

    way_out = f"--out={table.containers.way_out}"
    proxy = f"http://127.0.0.1:{table.containers.way_out}"
    led, proxies, unit = seen(contained)
    assert {way_out, "--for=claude"} <= set(led)
    assert "--for=analytics" not in led
    assert proxies == {"jimbot-claude": proxy}
    assert way_out in contained["containers"]["jimbot-network"]["cmd"]
    assert "IPAddressDeny" not in unit

    led, proxies, unit = seen(lab.evaluate("closed"))
    assert not [each for each in led if each.startswith(("--out=", "--for="))]
    assert proxies == {}
    assert unit["IPAddressDeny"] == "any"

    facts = lab.evaluate("alerting")
    led, proxies, unit = seen(facts)
    assert {way_out, "--for=claude", "--for=analytics"} <= set(led)
    assert proxies == {"jimbot-claude": proxy, "jimbot-analytics": proxy}
    # The file of webhooks is where the table says, on both sides.
    (secrets,) = unit["BindReadOnlyPaths"]
    assert f"{secrets}:ro" in facts["containers"]["jimbot-analytics"]["volumes"]
    assert f"d {secrets.split(':')[0]} 0700 jimbot jimbot -" in facts["tmpfiles"]
    assert [each for each in lab.evaluate("strange")["failed"] if "no way leads out" in each]


@pytest.mark.soak
def test_the_whole_flake_holds(lab: Lab) -> None:
    skipped = lab.check()
    print("\n".join(f"SKIPPED: {each}" for each in skipped))
    # What cannot run here is known by name; anything else that is skipped is news.
    tools = {each.split(" ")[0] for each in skipped}
    vm = {tool for tool in tools if tool.startswith("jimbot-")}
    assert len(vm) == 9
    assert tools - vm <= {"nixfmt", "deadnix", "statix", "python;", "ruff;", "mypy;"}


@pytest.mark.soak
def test_a_refusal_that_is_missing_is_seen(lab: Lab) -> None:
    """nix/tests/module.nix does not pass by chance: without an assertion it complains."""
    file = lab.tree / "modules/assertions.nix"
    text = file.read_text()
    try:
        file.write_text(text.replace("!cfg.openFirewall || (given", "true || (given"))
        problems = lab.evaluate("checks.x86_64-linux.module.problems")
        assert "an open port without TLS" in problems
    finally:
        file.write_text(text)
    with pytest.raises(NixError):
        lab.evaluate("no.such.attribute")
