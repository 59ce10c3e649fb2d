"""What must hold before the appliance starts; each failure is one line with what to do."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import psutil

from jimbot.appliance import Appliance, Home
from jimbot.errors import MissingExtra
from jimbot.operations import process, state
from jimbot.operations.errors import OperationError
from jimbot.operations.shares import RuntimeName
from jimbot.usage import is_same

# group → the package that its services cannot do without, and the extra that brings it.
_NEEDS = {"training": (("ray", "train"), ("torch", "train"))}


def plan(appliance: Appliance, *, train: bool, runtime: RuntimeName = "native") -> list[str]:
    """The services that `jimbot up` starts: ours, and in containers also the stores' servers that
    the table asks for."""
    servers = servers_wanted(appliance) if runtime == "containers" else set[str]()
    return [
        name
        for name, service in appliance.services.items()
        if (service.command or name in servers)
        and runtime in service.runtimes
        and (train or service.group != "training")
    ]


def servers_wanted(appliance: Appliance) -> set[str]:
    """The services that keep a store, where the table says that a server does."""
    addresses = [
        urlsplit(store.address).port
        for store in (appliance.stores.log, appliance.stores.series, appliance.stores.graph)
        if store.engine == "server"
    ]
    return {
        name
        for name, service in appliance.services.items()
        if not service.command and set(service.ports.values()) & set(addresses)
    }


def check_packages(appliance: Appliance, services: Iterable[str]) -> None:
    """Refuse to start services whose packages are missing."""
    for group in {appliance.service(name).group for name in services}:
        for package, extra in _NEEDS.get(group, ()):
            if importlib.util.find_spec(package) is None:
                raise MissingExtra(package, extra)


def check_disk(appliance: Appliance, home: Home) -> None:
    """Refuse to start on a disk with less free space than the table asks for."""
    free = shutil.disk_usage(home.path).free >> 20
    if free < appliance.machine.disk_free_mb:
        raise OperationError(
            f"the disk of {home.path} has {free} MB free, "
            f"the appliance needs {appliance.machine.disk_free_mb} MB",
            hint="Free some, or set JIMBOT_HOME to a directory on another disk",
        )


def stop_leftovers(home: Home) -> None:
    """End services that outlived a killed `jimbot up` on this state. Called under the lock."""
    last = state.read(home)
    if last is None:
        return
    left = [s.pid for s in last.services.values() if s and is_same(s.pid, s.started)]
    members = [member for pid in left for member in process.tree(pid)]
    for member in members:
        with suppress(psutil.NoSuchProcess):
            member.terminate()
    process.kill(psutil.wait_procs(members, timeout=5.0)[1])


def check_ports(
    appliance: Appliance,
    services: Iterable[str],
    *,
    only: Mapping[str, Iterable[str]] | None = None,
) -> None:
    """Refuse to start when somebody else has a port of ours (of `only` these, if given)."""
    for name in services:
        for label, port in appliance.service(name).ports.items():
            if only is not None and label not in only.get(name, ()):
                continue
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError as error:
                    raise OperationError(
                        f"port {port} ({name}, {label}) is taken{_holder(port)}",
                        hint=f"Stop that, or run with --table and a copy of the table in which "
                        f"services.{name}.ports.{label} is another",
                    ) from error


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, OSError):  # not ours to see
        pass
    return ""
