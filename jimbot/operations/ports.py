"""Ports that nobody has, for an appliance that shall run beside another."""

from __future__ import annotations

import re
import socket
from pathlib import Path


def free(count: int) -> list[int]:
    """Ports of loopback that nobody has now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def replace(table: Path) -> None:
    """Write a table's file anew, with a free port for each port of a service."""
    lines = table.read_text("utf-8").splitlines()
    numbers = _lines_of_ports(lines)
    wanted = sum(len(re.findall(r"= ?\d+", lines[number])) for number in numbers)
    found = iter(free(wanted))
    for number in numbers:
        lines[number] = re.sub(r"(= ?)\d+", lambda old: f"{old[1]}{next(found)}", lines[number])
    table.write_text("\n".join(lines))


def _lines_of_ports(lines: list[str]) -> list[int]:
    """Where services' ports are: in one line, or, in a table that NixOS wrote, in a section."""
    found, inside = [], False
    for number, line in enumerate(lines):
        if line.startswith("["):
            inside = re.fullmatch(r"\[services\..+\.ports\]", line.strip()) is not None
        if inside or line.startswith("ports = "):
            found.append(number)
    return found
