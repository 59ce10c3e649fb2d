"""Whom services in a closed network may reach outside it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from jimbot.analytics.alerts import deliver
from jimbot.appliance import Appliance, Home

GATEWAY: Final = "claude"
ALERTS: Final = "analytics"
"""These two speak with other machines."""


def servers(appliance: Appliance, home: Home, services: Collection[str]) -> set[str]:
    """The servers of those of `services` that speak with any, each `HOST:PORT`: Claude's, and the
    webhooks' as their file has them now."""
    found = set[str]()
    if GATEWAY in services:
        found |= appliance.claude.servers
    if ALERTS in services:
        found |= deliver.servers(home, appliance.alerts.delivery)
    return found
