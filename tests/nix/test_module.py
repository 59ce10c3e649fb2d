"""The example host, evaluated against NixOS' own options: it agrees with the table."""

from __future__ import annotations

from typing import Any

import pytest

from jimbot.appliance import Appliance
from jimbot.operations import shares
from tests.nix.lab import Lab, NixError

Facts = dict[str, Any]
NATIVE = ("mcp", "analytics", "claude", "ray-head", "trainer")


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
        assert "podman-jimbot-memgraph.service" in unit["after"]
        assert "podman-jimbot-memgraph.service" not in unit["requires"]  # it starts degraded


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


def test_the_clock_does_backups_drills_and_forgetting(workstation: Facts) -> None:
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
        assert unit["ExecStart"].endswith(f"/bin/jimbot backup run --kind {kind}")


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
