"""The ray-worker service: a node of Ray's that plays games, where the head's does not.

Natively there is none: the head's node plays.
"""

from __future__ import annotations

import asyncio
import logging

from jimbot.appliance import Appliance, Home
from jimbot.service import stop_event
from jimbot.training import cluster
from jimbot.training import node as nodes

_log = logging.getLogger(__name__)


async def run(appliance: Appliance, home: Home, profile_name: str) -> None:
    """Join the head and serve until SIGTERM or SIGINT; ends with every process it started.

    Raises:
        MissingExtra: Ray is not installed.
        TrainingError: there is no head to join.
        NodeDied: Ray's node ended, as it does when its head has.
    """
    stop = stop_event()
    cluster.environment(home)
    profile = appliance.profiles[profile_name]
    service = appliance.service("ray-worker")
    # On the main thread, as the head's.
    node = nodes.join(
        appliance,
        home,
        profile.training,
        "worker",
        timeout_s=cluster.JOIN_S,
        stopped=stop.is_set,
        cores=profile.training.env_runners,
        memory_mb=service.memory_mb * profile.memory_scale,
        port=service.ports["node"],
    )
    if node is None:
        return
    try:
        _log.info("ready", extra={"fields": {"head": cluster.head(appliance)}})
        await nodes.watch(node, stop, home)
        _log.info("stopping")
    finally:
        await asyncio.to_thread(nodes.end, node)
