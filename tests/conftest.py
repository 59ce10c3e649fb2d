"""What tests of every room share: a home of their own and a table on free ports."""

from __future__ import annotations

import re
import socket
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Appliance, Home, load


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _packaged_table() -> str:
    return resources.files("jimbot.appliance").joinpath("appliance.toml").read_text("utf-8")


def table_on_free_ports(directory: Path) -> Path:
    """Write a copy of the package's table with every port replaced by a free one."""
    ports = iter(free_ports(40))
    lines = [
        re.sub(r"\d+", lambda _: str(next(ports)), line) if line.startswith("ports = ") else line
        for line in _packaged_table().splitlines()
    ]
    path = directory / "appliance.toml"
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="session")
def raw_table() -> Callable[[], dict[str, Any]]:
    """The package's table as plain data, fresh at each call."""
    return lambda: tomllib.loads(_packaged_table())


@pytest.fixture
def appliance(tmp_path: Path) -> Appliance:
    """The package's table with every port replaced by a free one."""
    return load(table_on_free_ports(tmp_path))
