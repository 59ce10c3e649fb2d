"""What tests of every room share: a home of their own and a table on free ports."""

from __future__ import annotations

import socket
import tomllib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Appliance, Home


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


@pytest.fixture(scope="session")
def raw_table() -> Callable[[], dict[str, Any]]:
    """The package's table as plain data, fresh at each call."""
    text = resources.files("jimbot.appliance").joinpath("appliance.toml").read_text("utf-8")
    return lambda: tomllib.loads(text)


@pytest.fixture
def appliance(raw_table: Callable[[], dict[str, Any]]) -> Appliance:
    """The package's table with every port replaced by a free one."""
    table = raw_table()
    places = [
        (service["ports"], label)
        for service in table["services"].values()
        for label in service["ports"]
    ]
    for (ports, label), port in zip(places, free_ports(len(places)), strict=True):
        ports[label] = port
    return Appliance.model_validate(table)
