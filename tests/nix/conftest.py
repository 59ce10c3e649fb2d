"""The flake on the bench: evaluated once a session, skipped by name where it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Appliance, load
from tests.nix.lab import Lab, nix_is_missing, tree_is_missing


@pytest.fixture(scope="session")
def table() -> Appliance:
    return load()


@pytest.fixture(scope="session")
def nix() -> None:
    if why := nix_is_missing():
        pytest.skip(why)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    if why := tree_is_missing():
        pytest.skip(why)
    return Lab(tmp_path_factory.mktemp("nix"))


@pytest.fixture(scope="session")
def workstation(lab: Lab) -> dict[str, Any]:
    """What the example host comes to: facts of standin/default.nix."""
    facts: dict[str, Any] = lab.evaluate("workstation")
    return facts


@pytest.fixture(scope="session")
def contained(lab: Lab) -> dict[str, Any]:
    """The same of a host whose services are containers."""
    facts: dict[str, Any] = lab.evaluate("contained")
    return facts


@pytest.fixture(scope="session")
def units(lab: Lab) -> Path:
    """The workstation's units as files."""
    return lab.build("workstationUnits")
