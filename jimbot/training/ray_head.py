"""The ray-head service: Ray's control store and this machine's node, on loopback, or on a cluster
where the others reach it ($JIMBOT_RAY_ADDRESS)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import socket
from pathlib import Path
from typing import Any

from jimbot.appliance import Appliance, Home
from jimbot.service import stop_event
from jimbot.training import cluster
from jimbot.training import node as nodes
from jimbot.training.errors import TrainingError

_log = logging.getLogger(__name__)


async def run(appliance: Appliance, home: Home, profile_name: str) -> None:
    """Serve until SIGTERM or SIGINT; ends with every process it started.

    Raises:
        MissingExtra: Ray is not installed.
        TrainingError: the port is taken or a directory cannot be used.
        NodeDied: Ray's control store or node ended.
    """
    stop = stop_event()
    cluster.environment(home)
    port = appliance.service("ray-head").ports["gcs"]
    _check_free(port)
    _clear(home)
    scratch = cluster.scratch(home)
    # On the main thread: the kernel kills Ray's processes when the thread that started them ends,
    # which is how they do not survive a `kill -9` of this one. (The node's two agents give up after
    # a minute, or the supervisor sweeps them away.)
    node = _start(appliance, home, profile_name, port, scratch)
    try:
        cluster.announce(home, node.get_session_dir_path())
        _log.info("ready", extra={"fields": {"port": port, "session": node.session_name}})
        await nodes.watch(node, stop, home)
        _log.info("stopping")
    finally:
        cluster.announcement(home).unlink(missing_ok=True)
        await asyncio.to_thread(nodes.end, node)
    _clear(home)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((cluster.address(), port))
        except OSError as error:
            raise TrainingError(
                f"Ray cannot listen on {cluster.address()}:{port}: {error.strerror}",
                hint=f"Stop what uses it (ss -ltnp sport = :{port}), or change ray-head's port"
                " in the table",
            ) from error


def _start(appliance: Appliance, home: Home, profile_name: str, port: int, scratch: Path) -> Any:
    """Start the head's processes: control store, node, and the node's two agents."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams

    from jimbot.training import worker

    class Head(Node):  # type: ignore[misc]
        """`ray start --head` without the dashboard (110 MB), which cannot be left out there.

        Nor can its proxy for remote clients (90 MB) and the command's own process (200 MB), and
        it would replace 127.0.0.1 by an address of its own choice.
        """

        def start_api_server(self, **_: object) -> None:
            pass

    profile = appliance.profiles[profile_name]
    workers_mb = appliance.service("ray-worker").memory_mb * profile.memory_scale
    parameters = RayParams(
        node_ip_address=cluster.address(),
        gcs_server_port=port,
        # The learner computes outside Ray's accounts.
        num_cpus=0 if cluster.several() else profile.training.env_runners,
        worker_path=worker.__file__,
        memory=int(workers_mb * nodes.MB),
        object_store_memory=profile.training.object_store_mb * nodes.MB,
        object_spilling_directory=str(home.run / "spill"),
        temp_dir=str(scratch / "ray"),
        include_dashboard=False,
        include_log_monitor=False,
        no_monitor=True,
    )
    node = Head(parameters, head=True, shutdown_at_exit=False, spawn_reaper=True)
    (home.logs / "ray").symlink_to(node.get_logs_dir_path())
    return node


def _clear(home: Home) -> None:
    """Remove what Ray keeps of a session that has ended: sockets, logs and spilled objects.

    After a failure nobody does, so that its logs are there until the next start.
    """
    scratch = cluster.scratch(home)
    (home.logs / "ray").unlink(missing_ok=True)
    for folder in (scratch / "ray", home.run / "spill"):
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        scratch.rmdir()
