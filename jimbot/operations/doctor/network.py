"""Ports of the table, and the names by which services find each other."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

from jimbot.operations import process
from jimbot.operations.doctor.finding import Finding, Patient

_CONNECT_S = 3.0


def look(patient: Patient) -> Iterator[Finding]:
    yield from _ports(patient)
    yield from _names(patient)
    yield from _servers(patient)


def _ports(patient: Patient) -> Iterator[Finding]:
    try:
        listening = [
            (each.laddr.ip, each.laddr.port, each.pid)
            for each in psutil.net_connections("tcp")
            if each.status == psutil.CONN_LISTEN and each.laddr
        ]
    except (psutil.Error, OSError) as error:
        yield Finding(check="network", severity="unknown", seen=f"ports not checked: {error}")
        return
    wanted = patient.appliance.services
    ours: dict[int | None, str] = {}
    for name, one in (patient.running.services if patient.running else {}).items():
        ours |= {member.pid: name for member in process.tree(one[0])} if one else {}
    # The system's processes are not for everybody to see: theirs are the ports that answer.
    system = patient.expected or () if patient.by_system else ()
    answering = [name for name in system if patient.answers[name].answered]
    by_port = {port: name for name in answering for port in wanted[name].ports.values()}

    def whose(port: int, pid: int | None) -> str | None:
        return ours.get(pid) or by_port.get(port)

    for name, service in wanted.items():
        if not service.command:
            continue
        for label, port in service.ports.items():
            strange = [
                pid for _, taken, pid in listening if taken == port and not whose(taken, pid)
            ]
            if strange:
                pid = strange[0]
                yield Finding(
                    check="network",
                    severity="fail",
                    seen=f"port {port} ({name}, {label}) is taken by pid {pid or '?'}",
                    mend=f"kill -TERM {pid}" if pid and name not in system else "",
                    disruptive=True,
                    hint=f"It may be {name} itself, which does not answer"
                    if name in system
                    else f"Or change services.{name}.ports.{label} in the table",
                )
    open_to_all = {
        (owner, port)
        for address, port, pid in listening
        if (owner := whose(port, pid)) and not ipaddress.ip_address(address).is_loopback
    }
    exposed = patient.appliance.security.exposed
    for name, port in sorted(open_to_all):
        if not (exposed and port == wanted["mcp"].ports["websocket"]):
            yield Finding(
                check="network",
                severity="fail",
                seen=f"{name} listens on port {port} for other machines",
                hint="Only mcp may, where [security] says so: see SECURITY.md",
            )
    yield Finding(
        check="network",
        severity="ok" if patient.running or answering else "unknown",
        seen=f"{len(ours)} processes of ours were looked at"
        if patient.running
        else f"{len(by_port)} ports of what the system runs were looked at"
        if answering
        else "what services listen on was not checked: none runs here",
    )


def _names(patient: Patient) -> Iterator[Finding]:
    """Names that services look up: this machine's own, and the stores'."""
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo("localhost", None, socket.AF_INET)}
    except OSError as error:
        found = {str(error)}
    well = found == {"127.0.0.1"}
    yield Finding(
        check="network",
        severity="ok" if well else "fail",
        seen=f"localhost is {', '.join(sorted(found))}",
        hint="" if well else "Put `127.0.0.1 localhost` into /etc/hosts",
    )


def _servers(patient: Patient) -> Iterator[Finding]:
    stores = patient.appliance.stores
    for name, engine in (("log", stores.log), ("series", stores.series), ("graph", stores.graph)):
        if engine.engine != "server":
            continue
        url = urlsplit(engine.address)
        host, port = url.hostname or "", url.port or 0
        try:
            with socket.create_connection((host, port), timeout=_CONNECT_S):
                pass
        except socket.gaierror as error:
            yield Finding(
                check="network",
                severity="fail",
                seen=f"the name {host} of the {name} is not known: {error.strerror}",
                hint="Mend [stores] in the table, /etc/hosts or the network's DNS",
            )
        except OSError as error:
            yield Finding(
                check="network",
                severity="fail",
                seen=f"the {name} at {host}:{port} does not answer: {error.strerror or error}",
                hint="Start its server; points and games wait meanwhile",
            )
        else:
            yield Finding(
                check="network", severity="ok", seen=f"the {name} at {host}:{port} answers"
            )
