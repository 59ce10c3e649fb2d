"""What all containers have in common: `[containers]` of the appliance table."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

RAY_HEAD = "JIMBOT_RAY_HEAD"
"""`HOST:PORT` of Ray's head, for the services of training: containers see nothing of each other's
processes, so that Ray is several nodes there."""
RAY_ADDRESS = "JIMBOT_RAY_ADDRESS"
"""The address at which other machines reach this one's Ray; loopback where there are none."""
EVENTS = "JIMBOT_EVENTS"
"""mcp's WebSocket as those see it who play games on other machines."""
WAY_OUT = "JIMBOT_WAY_OUT"
"""The address of the proxy that leads out of a closed network, for alerts' webhooks."""


class Containers(BaseModel):
    """What of their closed network is open, and what each may take besides memory and cores.

    `publish` names the ports of services that this machine's loopback gets. `subnet` is that
    network's where there is one (Compose); `jimbot up` and NixOS need none, and lead from
    the port `way_out` of the closed loopback to Claude's servers and those of the alerts' webhooks,
    and to no other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subnet: IPv4Network
    publish: dict[str, tuple[str, ...]]
    way_out: Annotated[int, Field(ge=1024, le=65535)]
    pids: Annotated[int, Field(ge=64, description="processes and threads a container")]
    tmp_mb: Annotated[int, Field(ge=1, description="MiB of /tmp, in memory")]
