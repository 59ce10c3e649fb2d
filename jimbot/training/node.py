"""This process's own Ray node, where Ray is several of them: joining the head, watching, ending.

In containers and on a cluster nobody sees another one's processes and sockets, which a driver and
its runners must. So the service `ray-worker` and the trainer each bring a node that joins the
head's ($JIMBOT_RAY_HEAD): the worker's plays, the trainer's only hands over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import time
from collections.abc import Callable
from typing import Any, Final

import psutil

from jimbot.appliance import Appliance, Home
from jimbot.appliance.containers import RAY_HEAD
from jimbot.appliance.training import TrainingShare
from jimbot.errors import JimbotError
from jimbot.training import cluster
from jimbot.training.errors import TrainingError

_log = logging.getLogger(__name__)

MB: Final = 1 << 20
_STOP_S: Final = 2.0


class NodeDied(JimbotError):
    """One of Ray's own processes ended."""

    exit_code = 1


def join(
    appliance: Appliance,
    home: Home,
    share: TrainingShare,
    name: str,
    *,
    timeout_s: float,
    stopped: Callable[[], bool],
    cores: int = 0,
    memory_mb: float = 0,
    port: int = 0,
) -> Any:
    """Start a node that joins the head; None when `stopped` says so.

    The kernel kills its processes when the thread that called this ends.

    Args:
        name: of its directory; short, since sockets are in it.
        cores: as many runners it takes.
        memory_mb: what they may take, in Ray's accounts.
        port: it listens on; any when 0.

    Raises:
        TrainingError: the head did not come up in time, or has another token.
    """
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    from jimbot.training import worker

    head = cluster.head(appliance)
    # Its own, though nodes on one machine could share one: those that start at once would take the
    # same names for their sockets.
    directory = cluster.scratch(home) / name
    spill = home.run / f"spill-{name}"
    for folder in (directory, spill):
        shutil.rmtree(folder, ignore_errors=True)
    for attempt in range(1, cluster.ATTEMPTS + 1):
        address = cluster.waited(
            lambda: _way(head),
            timeout_s=timeout_s,
            stopped=stopped,
            late=TrainingError(
                f"Ray's head did not come up on {head} within {timeout_s:g} s",
                hint=f"See {home.logs / 'ray-head.jsonl'}; ${RAY_HEAD} says where it is",
            ),
        )
        if address is None:
            return None
        parameters = RayParams(
            gcs_address=head,
            node_ip_address=address,
            node_manager_port=port,
            num_cpus=cores,
            worker_path=worker.__file__,
            memory=int(memory_mb * MB),
            object_store_memory=share.object_store_mb * MB,
            object_spilling_directory=str(spill),
            temp_dir=str(directory),
            include_log_monitor=False,
        )
        try:
            return Node(parameters, head=False, shutdown_at_exit=False, spawn_reaper=True)
        # Ray raises a bare Exception. It gives a node 30 s, which a busy machine may need more than
        # once; and the head listens before it has a node of its own.
        except Exception as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            if attempt == cluster.ATTEMPTS:
                raise TrainingError(
                    f"cannot join Ray's head on {head}: {said}",
                    hint="Is it this home's, with the same token? Is the machine too busy?",
                ) from error
            _log.warning("not joined yet, once more: %s", said)
            time.sleep(0.5)
    return None


async def watch(node: Any, stop: asyncio.Event, home: Home) -> None:
    """Return when `stop` is set.

    Raises:
        NodeDied: one of the node's processes ended.
    """
    while not stop.is_set():
        if dead := node.dead_processes():
            raise NodeDied(f"Ray's {dead[0][0]} ended", hint=f"See {home.logs / 'ray'}")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)


def end(node: Any) -> None:
    """End Ray's processes and whatever they started, the stubborn ones by force."""
    family = psutil.Process(os.getpid()).children(recursive=True)
    node.kill_all_processes(check_alive=False, allow_graceful=True)
    left = psutil.wait_procs(family, timeout=_STOP_S)[1]
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=0.5)


def _way(head: str) -> str | None:
    """The address of ours from which the head is reached; None while it does not listen."""
    host, _, port = head.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=0.5) as probe:
            return str(probe.getsockname()[0])
    except OSError:
        return None
