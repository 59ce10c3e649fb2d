"""What tests of every room share: a home of their own and a table on free ports."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jimbot.appliance import Appliance, Home, load
from jimbot.operations import ports

if TYPE_CHECKING:
    from tests.events.server import EventStoreServer

# Before anything imports numpy or torch: the run's workers share the cores, and threads of theirs
# that wait for each other on a busy core cost twice what they bring.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow ones first: the run then ends with short ones, which both workers share."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def _packaged_table() -> str:
    return resources.files("jimbot.appliance").joinpath("appliance.toml").read_text("utf-8")


def table_on_free_ports(directory: Path) -> Path:
    """Write a copy of the package's table with every port replaced by a free one."""
    path = directory / "appliance.toml"
    path.write_text(_packaged_table())
    ports.replace(path)
    return path


@pytest.fixture(scope="session")
def raw_table() -> Callable[[], dict[str, Any]]:
    """The package's table as plain data, fresh at each call."""
    return lambda: tomllib.loads(_packaged_table())


@pytest.fixture
def appliance(tmp_path: Path) -> Appliance:
    """The package's table with every port replaced by a free one."""
    return load(table_on_free_ports(tmp_path))


@pytest.fixture
def eventstore() -> Iterator[EventStoreServer]:
    """A server that speaks EventStoreDB's wire, for whoever's log is on one."""
    pytest.importorskip("esdbclient", reason="pip install 'jimbot[databases]'")
    from tests.events.server import EventStoreServer

    server = EventStoreServer()
    yield server
    server.close()
