"""What Nix works out from the table is what Python works out from it."""

from __future__ import annotations

import json
import os
import tomllib
from typing import Any

import pytest

from jimbot import __version__
from jimbot.appliance import Appliance
from jimbot.appliance.images import reference
from jimbot.operations import shares
from tests.nix import lab

TABLE = lab.ROOT / "jimbot/appliance/appliance.toml"


def evaluate(expression: str) -> Any:
    return json.loads(
        lab.run("nix-instantiate", "--eval", "--strict", "--json", "-E", expression, timeout=60)
    )


def test_nix_reads_the_table_as_python_does(nix: None) -> None:
    read = evaluate(f"builtins.fromTOML (builtins.readFile {TABLE})")
    assert read == tomllib.loads(TABLE.read_text())


@pytest.fixture(scope="module")
def worked_out(lab: Any) -> dict[str, Any]:
    tree = os.environ["NIXPKGS_TREE"]
    found: dict[str, Any] = evaluate(
        f"""
        let
          lib = import {tree}/lib;
          it = import {TABLE.parents[2]}/nix/table.nix {{ inherit lib; }};
          inherit (it) table;
          each = lib.flip lib.mapAttrs;
        in {{
          version = it.version;
          slices = each table.groups (name: _: it.sliceOf table name);
          groups = each table.groups (name: _: it.groupMemory table name);
          native = each table.services (name: _: it.serviceMemory "native" table name);
          containers = each table.services (name: _: it.serviceMemory "containers" table name);
          references = each table.images (name: _: it.reference table.images name);
          stores = each (it.servers table) (name: _: it.storeOf table name);
          all = it.applianceMemory table;
          steps = it.doublings 0.5 30;
        }}
        """
    )
    return found


def test_the_version_is_the_package_s(worked_out: dict[str, Any]) -> None:
    assert worked_out["version"] == __version__


def test_services_get_the_memory_that_the_supervisor_gives(
    worked_out: dict[str, Any], table: Appliance
) -> None:
    for name in table.services:
        assert worked_out["native"][name] == shares.memory_mb(table, name, "native", 1.0)
        assert worked_out["containers"][name] == shares.memory_mb(table, name, "containers", 1.0)


def test_groups_get_their_share_and_the_system_keeps_its_own(
    worked_out: dict[str, Any], table: Appliance
) -> None:
    inside = {name: g.memory_mb for name, g in table.groups.items() if g.inside == "system"}
    for name, group in table.groups.items():
        expected = sum(inside.values()) if name == "system" else group.memory_mb
        assert worked_out["groups"][name] == expected
    kept = table.groups["system"].memory_mb - sum(inside.values())
    assert worked_out["all"] == table.machine.memory_mb - kept


def test_slices_nest_as_groups_do(worked_out: dict[str, Any], table: Appliance) -> None:
    for name in table.groups:
        path = shares.group_path(table, name).replace("/", "-")
        assert worked_out["slices"][name] == f"jimbot-{path}"


def test_images_are_named_as_the_engine_is_told(
    worked_out: dict[str, Any], table: Appliance
) -> None:
    for name in table.images:
        assert worked_out["references"][name] == reference(table.images, name, __version__)


def test_each_server_keeps_its_store(worked_out: dict[str, Any]) -> None:
    assert worked_out["stores"] == {"memgraph": "graph", "questdb": "series", "eventstore": "log"}


def test_a_delay_doubles_until_its_limit(worked_out: dict[str, Any]) -> None:
    assert worked_out["steps"] == 6  # 0.5 1 2 4 8 16 32
