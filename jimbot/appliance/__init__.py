"""The appliance table: services, ports, shares and schedules, and where state lives."""

from __future__ import annotations

from jimbot.appliance.home import Home, HomeError
from jimbot.appliance.model import Appliance, Profile, Service, TableError, load

__all__ = ["Appliance", "Home", "HomeError", "Profile", "Service", "TableError", "load"]
