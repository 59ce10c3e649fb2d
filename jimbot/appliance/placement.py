"""What each group gets of the machine when it is short: `[placement]` of the appliance table.

Read by every runtime that pins: systemd's slices, containers and the supervisor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Placement(BaseModel):
    """`cpus`: a list of cores a group, as the kernel writes it (`0-1,4`). `numa_nodes` likewise.

    `cpu_weight` and `oom_score` are the kernel's, a group: who runs first when cores are wanted by
    several, and who is killed first (the highest) when memory is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpus: dict[str, str]
    cpu_weight: dict[str, Annotated[int, Field(ge=1, le=10000)]]
    oom_score: dict[str, Annotated[int, Field(ge=-1000, le=1000)]]
    memory_high: Annotated[
        float, Field(gt=0, le=1, description="share of its limit from which a group is throttled")
    ]
    numa_policy: Literal["default", "preferred", "bind", "local"]
    numa_nodes: str

    def cores(self, group: str) -> frozenset[int]:
        """The cores of one group; none where it may use all."""
        return cpu_list(self.cpus.get(group, ""))


def cpu_list(text: str) -> frozenset[int]:
    """`0-1,4` as numbers.

    Raises:
        ValueError: it is no such list.
    """
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        try:
            found.update(range(int(first), int(last or first) + 1))
        except ValueError:
            raise ValueError(f"{text!r} is no list of cores") from None
    return frozenset(found)


def problems(placement: Placement, cores: Mapping[str, float], machine: float) -> list[str]:
    """What does not agree with the groups' shares; `cores` is the share of each group."""
    try:
        sets = {group: placement.cores(group) for group in placement.cpus}
    except ValueError as error:
        return [f"placement: {error}"]
    found = [
        f"placement names group {group}, which does not exist"
        for group in sets
        if group not in cores
    ]
    found += [
        f"group {group} has {share:g} cores, its placement {len(sets.get(group, ()))}"
        for group, share in cores.items()
        if share and len(sets.get(group, ())) != share
    ]
    taken: dict[int, str] = {}
    for group, own in sets.items():
        if any(core >= machine for core in own):
            found.append(f"placement of {group} is outside the machine's {machine:g} cores")
        if not cores.get(group):
            continue  # it lives on another's cores
        for core in sorted(own):
            if core in taken:
                found.append(f"core {core} is placed with {taken[core]} and {group}")
            taken[core] = group
    return found
