"""Whom services in a closed network may reach outside it."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

from jimbot.analytics.alerts import deliver
from jimbot.appliance import Appliance, Home

GATEWAY: Final = "claude"
ALERTS: Final = "analytics"
"""These two speak with other machines."""


def servers(appliance: Appliance, home: Home, services: Collection[str]) -> set[str]:
    """The servers of those of `services` that speak with any, each `HOST:PORT`: Claude's, and the
    webhooks' as their file has them now, where services cannot write it."""
    found = set[str]()
    if GATEWAY in services:
        found |= appliance.claude.servers
    if ALERTS in services and _guarded(home, appliance.alerts.delivery.webhook_file):
        found |= deliver.servers(home, appliance.alerts.delivery)
    return found


def _guarded(home: Home, file: str) -> bool:
    """Whether services cannot write a file; one that they can would name whom they like."""
    path = Path(os.path.normpath(home.path / file))
    return not path.is_relative_to(home.path) or path.is_relative_to(home.path / "secrets")
