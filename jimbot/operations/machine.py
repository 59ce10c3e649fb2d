"""What this machine has, and the profile that fits it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import psutil

from jimbot.appliance import Appliance
from jimbot.operations.errors import MachineTooSmall, OperationError

# A control group's limit, where there is one, is what a container may really use.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class Resources(NamedTuple):
    memory_mb: int
    cores: int


def resources() -> Resources:
    """Memory (MiB) and cores that this process may use."""
    memory = psutil.virtual_memory().total
    for path in _LIMITS:
        try:
            memory = min(memory, int(Path(path).read_text()))
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return Resources(memory >> 20, len(os.sched_getaffinity(0)))


def choose_profile(appliance: Appliance, name: str, has: Resources | None = None) -> str:
    """The profile called `name`; for "auto" the first of the table that the machine satisfies.

    Raises:
        OperationError: no profile of that name.
        MachineTooSmall: the machine has less than the profile (or than every profile) needs.
    """
    has = has or resources()
    if name != "auto" and name not in appliance.profiles:
        raise OperationError(
            f"unknown profile {name!r}",
            hint=f"The table has: auto, {', '.join(appliance.profiles)}",
        )
    wanted = list(appliance.profiles) if name == "auto" else [name]
    for candidate in wanted:
        minimum = appliance.profiles[candidate].minimum
        if has.memory_mb >= minimum.memory_mb and has.cores >= minimum.cores:
            return candidate
    minimum = appliance.profiles[wanted[-1]].minimum
    raise MachineTooSmall(
        f"this machine has {has.memory_mb} MB and {has.cores} cores, profile {wanted[-1]} needs "
        f"{minimum.memory_mb} MB and {minimum.cores:g} cores",
        hint="Choose a smaller --profile" if name != "auto" else "Run `jimbot up --no-train` here",
    )
