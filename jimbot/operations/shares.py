"""What of the table's memory and cores each service gets in a runtime and a profile."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Literal

from jimbot.appliance import Appliance

RuntimeName = Literal["native", "containers"]


def memory_mb(appliance: Appliance, name: str, runtime: RuntimeName, scale: float) -> int:
    """A service's limit, MiB."""
    return int(appliance.memory_mb(name, runtime) * scale)


def group_mb(appliance: Appliance, group: str, scale: float) -> int:
    """A group's limit, MiB."""
    return int(appliance.groups[group].memory_mb * scale)


def group_path(appliance: Appliance, group: str) -> str:
    """A group among those that it is inside of: `system/api`."""
    above = appliance.groups[group].inside
    return f"{group_path(appliance, above)}/{group}" if above else group


def cores_here(
    appliance: Appliance, groups: Iterable[str]
) -> tuple[dict[str, frozenset[int]], list[str]]:
    """The cores of the groups that this machine has them for, and a warning about the others."""
    here = os.sched_getaffinity(0)
    found: dict[str, frozenset[int]] = {}
    absent = []
    for group in sorted(set(groups)):
        cores = appliance.placement.cores(group)
        if cores and cores <= here:
            found[group] = cores
        elif cores:
            absent.append(f"{group} ({appliance.placement.cpus[group]})")
    if not absent:
        return found, []
    return found, [f"not pinned, since this machine lacks the table's cores: {', '.join(absent)}"]
