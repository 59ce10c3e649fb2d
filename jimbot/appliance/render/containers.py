"""What manifests of containers have in common, whoever runs them."""

from __future__ import annotations

from typing import Any

import yaml

from jimbot import __version__
from jimbot.appliance.images import reference
from jimbot.appliance.model import Appliance, Service

HOME = "/var/lib/jimbot"
SECRETS = "/run/secrets"
TABLE = "/etc/jimbot/appliance.toml"
USER = 65532
"""As in the images (nix/identity.nix)."""

STORE_OF = {"eventstore": "log", "questdb": "series", "memgraph": "graph"}


def ours(appliance: Appliance) -> dict[str, Service]:
    """The services of JimBot's that run as containers of their own."""
    return {
        name: service
        for name, service in appliance.services.items()
        if service.command and "containers" in service.runtimes
    }


def servers(appliance: Appliance) -> dict[str, Service]:
    """The servers of others that [stores] names."""
    return {
        name: service
        for name, service in appliance.services.items()
        if name in STORE_OF and getattr(appliance.stores, STORE_OF[name]).engine == "server"
    }


def unpinned(appliance: Appliance) -> list[Service]:
    """Those of `servers` whose image no digest pins."""
    return [row for row in servers(appliance).values() if not appliance.images[row.image].digest]


def image(appliance: Appliance, name: str, registry: str = "") -> str:
    """What an engine is told to pull for an image of the table."""
    found = reference(appliance.images, name, __version__)
    return f"{registry}/{found}" if registry and appliance.images[name].ours else found


def cores(appliance: Appliance, row: Service) -> float:
    """The cores of a service's group; of the one that it is inside of where it has none."""
    group = appliance.groups[row.group]
    return group.cores or appliance.groups[group.inside or row.group].cores


def environment(appliance: Appliance, name: str) -> dict[str, str]:
    """The variables of our containers, in one of the table's environments."""
    return {
        "JIMBOT_HOME": HOME,
        "JIMBOT_TABLE": TABLE,
        "JIMBOT_PROFILE": whole(appliance),
        "JIMBOT_ENVIRONMENT": name,
        "JIMBOT_LOG_LEVEL": getattr(appliance.environments, name).log_level,
    }


def whole(appliance: Appliance) -> str:
    """The profile that takes all of the table's shares, as manifests do."""
    return max(appliance.profiles, key=lambda name: appliance.profiles[name].memory_scale)


def secrets(appliance: Appliance, service: str) -> list[str]:
    """The files under /run/secrets that a service looks for by the table."""
    wanted: dict[str, tuple[str, ...]] = {
        "claude": appliance.claude.keys,
        "mcp": (
            *appliance.security.tokens,
            *(appliance.security.tls.certificates if appliance.security.exposed else ()),
            *(appliance.security.tls.keys if appliance.security.exposed else ()),
        ),
        "analytics": appliance.security.tokens,
        "backup": appliance.backup.passwords,
    }
    prefix = f"{SECRETS}/"
    return [
        path.removeprefix(prefix) for path in wanted.get(service, ()) if path.startswith(prefix)
    ]


def dump(*documents: dict[str, Any]) -> str:
    return "---\n".join(
        yaml.safe_dump(each, sort_keys=False, allow_unicode=True, width=100) for each in documents
    )
