"""Compose: the appliance as containers of one machine, for podman-compose or docker compose.

As with `jimbot up --runtime containers` all share one network namespace, whose first container
passes ports on to its loopback; only what [containers] publishes is open, on this machine alone.
"""

from __future__ import annotations

from typing import Any

from jimbot.appliance.containers import RAY_HEAD
from jimbot.appliance.model import Appliance, Service
from jimbot.appliance.render import containers
from jimbot.appliance.render.toml import table

_HEAD = "# Written from the appliance table: jimbot render compose\n"
_NETWORK = "network"


def render(appliance: Appliance, environment: str) -> dict[str, str]:
    """`compose.yaml`, and `appliance.toml`, the table that it mounts."""
    return {
        "compose.yaml": _HEAD + containers.dump(project(appliance, environment)),
        "appliance.toml": table(appliance),
    }


def project(appliance: Appliance, environment: str) -> dict[str, Any]:
    wants = getattr(appliance.environments, environment)
    rows = containers.ours(appliance) | containers.servers(appliance)
    services = {_NETWORK: _network(appliance, rows, environment)}
    for name, row in rows.items():
        services[name] = _service(appliance, name, row, rows, environment)
    volumes: dict[str, Any] = {"home": {}}
    volumes |= {name: {} for name in containers.servers(appliance)}
    if wants.backups:
        services["backup"] = _backup(appliance, environment)
        volumes["backups"] = {}
    used = sorted({name for each in services.values() for name in each.get("secrets", ())})
    return {
        "name": f"jimbot-{environment}",
        "services": services,
        "networks": {
            # Not `internal`: docker publishes nothing from such a one, and Claude needs a way out.
            "inside": {"ipam": {"config": [{"subnet": str(appliance.containers.subnet)}]}},
        },
        "volumes": volumes,
        "configs": {"table": {"file": "./appliance.toml"}},
        "secrets": {name: {"file": f"${{JIMBOT_SECRETS:-./secrets}}/{name}"} for name in used},
    }


def _network(appliance: Appliance, rows: dict[str, Service], environment: str) -> dict[str, Any]:
    ports = [port for row in rows.values() if row.command for port in row.ports.values()]
    hosts = appliance.containers.subnet.hosts()
    next(hosts)  # the bridge's own
    address = str(next(hosts))
    first = next(row.image for row in rows.values() if row.command)
    published = [
        rows[name].ports[label]
        for name, labels in appliance.containers.publish.items()
        if name in rows
        for label in labels
    ]
    return {
        "image": containers.image(appliance, first),
        "command": ["forward", address, *(str(port) for port in ports)],
        "networks": {"inside": {"ipv4_address": address}},
        "ports": [f"127.0.0.1:{port}:{port}" for port in published],
        **_closed(appliance, memory_mb=128, cpus=appliance.groups["system"].cores, ours=True),
        **_kept(appliance, environment),
    }


def _service(
    appliance: Appliance,
    name: str,
    row: Service,
    rows: dict[str, Service],
    environment: str,
) -> dict[str, Any]:
    memory_mb = appliance.memory_mb(name, "containers")
    found: dict[str, Any] = {
        "image": containers.image(appliance, row.image),
        "network_mode": f"service:{_NETWORK}",
        "depends_on": _depends(row, rows),
        **_closed(
            appliance,
            memory_mb=memory_mb,
            cpus=containers.cores(appliance, row),
            ours=bool(row.command),
            gpu=bool(row.vram_mb),
        ),
        **_kept(appliance, environment),
        "stop_grace_period": f"{appliance.supervision.stop_s:g}s",
    }
    if pinned := appliance.placement.cpus.get(row.group):
        found["cpuset"] = pinned
    if row.group == "training":
        found["shm_size"] = f"{appliance.object_store_mb}m"
    if row.command:
        found |= {
            "command": list(row.command),
            "environment": containers.environment(appliance, environment)
            | ({RAY_HEAD: appliance.ray_head} if row.group == "training" else {}),
            "volumes": [f"home:{containers.HOME}"],
            "configs": [{"source": "table", "target": containers.TABLE}],
        }
        if environment != "development" and (names := containers.secrets(appliance, name)):
            found["secrets"] = names
    else:
        image = appliance.images[row.image]
        found |= {
            "command": appliance.server_arguments(name, memory_mb),
            "environment": image.environment,
            "volumes": [f"{name}:{image.data}"],
        }
    if row.health:
        port = row.ports[row.health.port]
        found["healthcheck"] = {
            "test": ["CMD", "jimbot", "health", name]
            if row.command
            else ["CMD", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"],
            "interval": f"{row.health.interval_s:g}s",
            # The command itself takes its time to start, beside what the service may take.
            "timeout": f"{row.health.timeout_s + row.health.interval_s:g}s",
            "start_period": f"{row.health.start_s:g}s",
            "retries": 3,
        }
    return found


def _depends(row: Service, rows: dict[str, Service]) -> dict[str, Any]:
    found = {_NETWORK: {"condition": "service_started"}}
    found |= {name: {"condition": "service_started"} for name in row.after if name in rows}
    found |= {
        name: {"condition": "service_healthy" if rows[name].health else "service_started"}
        for name in row.depends
        if name in rows
    }
    return found


def _backup(appliance: Appliance, environment: str) -> dict[str, Any]:
    """Run by the machine's clock: `docker compose run --rm backup`."""
    data = appliance.backup.servers
    volumes = [
        f"{name}:{containers.HOME}/{getattr(data, name)}:ro"
        for name in containers.servers(appliance)
    ]
    return {
        "image": containers.image(appliance, "jimbot-cli"),
        "command": ["backup", "run"],
        "profiles": ["backup"],
        "network_mode": f"service:{_NETWORK}",
        "environment": containers.environment(appliance, environment)
        | {"JIMBOT_BACKUP": "${JIMBOT_BACKUP:-/backups}"},
        "volumes": [f"home:{containers.HOME}", "backups:/backups", *volumes],
        "configs": [{"source": "table", "target": containers.TABLE}],
        "secrets": containers.secrets(appliance, "backup"),
        **_closed(appliance, memory_mb=1024, cpus=1, ours=True),
    }


def _closed(
    appliance: Appliance, *, memory_mb: int, cpus: float, ours: bool, gpu: bool = False
) -> dict[str, Any]:
    """Limits, and what no container may."""
    limits = appliance.containers
    resources: dict[str, Any] = {
        "limits": {"memory": f"{memory_mb}M", "cpus": f"{cpus:g}", "pids": limits.pids}
    }
    if gpu:
        resources["reservations"] = {
            "devices": [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
        }
    found: dict[str, Any] = {
        "deploy": {"resources": resources},
        "read_only": True,
        "tmpfs": [f"/tmp:size={limits.tmp_mb}m,nosuid,nodev"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }
    if ours:
        found["user"] = f"{containers.USER}:{containers.USER}"
    else:
        # Their entry points give the data to the user that they then become.
        found["cap_add"] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]
    return found


def _kept(appliance: Appliance, environment: str) -> dict[str, Any]:
    size = f"{appliance.logs.rotate_mb:g}m"
    files = max(int(appliance.logs.most_mb / appliance.logs.rotate_mb), 1)
    return {
        "restart": "no" if environment == "development" else "unless-stopped",
        "logging": {"driver": "json-file", "options": {"max-size": size, "max-file": str(files)}},
    }
