"""What all containers have in common: `[containers]` of the appliance table."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Containers(BaseModel):
    """What of their closed network is open, and what each may take besides memory and cores.

    `publish` names the ports of services that this machine's loopback gets. `subnet` is the
    internal network's where there is one (NixOS, Compose); `jimbot up` needs none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subnet: IPv4Network
    publish: dict[str, tuple[str, ...]]
    pids: Annotated[int, Field(ge=64, description="processes and threads a container")]
    tmp_mb: Annotated[int, Field(ge=1, description="MiB of /tmp, in memory")]
