"""A node of Ray's that comes up on a busy machine.

A raylet waits for its two helper processes at most 15 s each, and then aborts; both are Python, and
take longer than that to import where the cores are taken. It only waits for ports that it has not
been told. So it is told: the dashboard's helper serves nobody here and has none, and the other one
gets a free port.
"""

from __future__ import annotations

import functools
import random
import socket
from typing import Any, Final

# Below those that the kernel hands out, so that no connection takes it before the helper does.
_PORTS: Final = range(20000, 32000)
_NONE: Final = (
    "--metrics-agent-port=-1",
    "--metrics_export_port=-1",
    "--dashboard_agent_listen_port=-1",
)


def have() -> None:
    """Have every raylet that this process starts not wait; Ray must be there."""
    from ray._private import services
    from ray._private.ray_constants import PROCESS_TYPE_RAYLET

    if hasattr(services.start_raylet, "__wrapped__"):
        return
    start_raylet, start_process = services.start_raylet, services.start_ray_process

    @functools.wraps(start_raylet)
    def raylet(*arguments: Any, **options: Any) -> Any:
        options["runtime_env_agent_port"] = options.get("runtime_env_agent_port") or _free_port()
        return start_raylet(*arguments, **options)

    @functools.wraps(start_process)
    def process(command: list[str], kind: str, *arguments: Any, **options: Any) -> Any:
        if kind == PROCESS_TYPE_RAYLET:
            command = [*command, *_NONE]  # of two alike the last one holds
        return start_process(command, kind, *arguments, **options)

    services.start_raylet, services.start_ray_process = raylet, process


def _free_port() -> int:
    """A port that nobody has on any address of this machine; another one at each call."""
    # Not by the generator that whoever trains may have seeded: two that start at once would agree.
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free")
