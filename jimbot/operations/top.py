"""What every running service uses, against what the table gives it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from jimbot import usage
from jimbot.appliance import Appliance, Home
from jimbot.operations.errors import OperationError
from jimbot.usage import Rates

Bytes = Annotated[int, Field(ge=0)]


class ServiceUse(BaseModel):
    """One service. `cores` is None at the first look, GPU figures where no GPU can be asked."""

    service: str
    group: str
    processes: int
    memory_bytes: Bytes
    memory_limit_bytes: Bytes
    cores: float | None
    gpu_memory_bytes: Bytes | None
    gpu_memory_limit_bytes: Bytes


class GroupUse(BaseModel):
    """Services that share a part of the machine, together."""

    group: str
    memory_bytes: Bytes
    memory_limit_bytes: Bytes
    cores: float | None
    cores_limit: float


class GpuUse(BaseModel):
    number: str
    name: str
    memory_bytes: Bytes
    memory_size_bytes: Bytes
    busy: Annotated[float | None, Field(description="share of the time, 0 to 1")]
    temperature: Annotated[float | None, Field(description="degrees Celsius")]


class Top(BaseModel):
    """One look. `gpus` is None where they cannot be asked, empty where there is none."""

    services: list[ServiceUse]
    groups: list[GroupUse]
    gpus: list[GpuUse] | None


def look(appliance: Appliance, home: Home, rates: Rates) -> Top:
    """Take one look.

    Args:
        rates: the same at each look, since processor time counts from look to look.

    Raises:
        OperationError: nothing runs on this home.
    """
    gpus = usage.gpus()
    found = usage.of_services(home, usage.gpu_processes() if gpus else None)
    if not found:
        if usage.by_system(home):
            raise OperationError(
                "nothing was measured: no unit of the system runs, or they are containers",
                hint="See: systemd-cgtop jimbot.slice",
            )
        raise OperationError(f"nothing of JimBot runs on {home.path}", hint="Start it: jimbot up")
    names, profile = [one.service for one in found], usage.profile(home)
    cores = rates.cores(found)
    services = [
        ServiceUse(
            service=one.service,
            group=appliance.service(one.service).group,
            processes=one.processes,
            memory_bytes=one.memory,
            memory_limit_bytes=usage.limit_bytes(appliance, one.service, names, profile),
            cores=cores[one.service],
            gpu_memory_bytes=one.gpu_memory,
            gpu_memory_limit_bytes=appliance.service(one.service).vram_mb << 20,
        )
        for one in found
    ]
    return Top(
        services=services,
        groups=_groups(appliance, services),
        gpus=None
        if gpus is None
        else [
            GpuUse(
                number=gpu.number,
                name=gpu.name,
                memory_bytes=gpu.memory_used,
                memory_size_bytes=gpu.memory_size,
                busy=gpu.busy,
                temperature=gpu.temperature,
            )
            for gpu in gpus
        ],
    )


def _groups(appliance: Appliance, services: list[ServiceUse]) -> list[GroupUse]:
    found = []
    for name, row in appliance.groups.items():
        members = [one for one in services if one.group == name]
        if not members:
            continue
        known = [one.cores for one in members if one.cores is not None]
        found.append(
            GroupUse(
                group=name,
                memory_bytes=sum(one.memory_bytes for one in members),
                memory_limit_bytes=row.memory_mb << 20,
                cores=sum(known) if len(known) == len(members) else None,
                cores_limit=row.cores,
            )
        )
    return found
