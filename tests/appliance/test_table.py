from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jimbot.appliance import Appliance, TableError, load
from jimbot.policy.seeds import HELD_OUT


def test_the_packaged_table_adds_up_to_the_workstation() -> None:
    table = load()
    outer = [group for group in table.groups.values() if group.inside is None]
    assert sum(group.memory_mb for group in outer) == 32 * 1024
    assert sum(group.cores for group in table.groups.values()) == 8
    assert sum(group.vram_mb for group in table.groups.values()) == 24 * 1024


def _set(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(table: dict[str, Any]) -> None:
        *parents, last = path.split("/")
        for parent in parents:
            table = table[parent]
        table[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (_set("groups/graph/memory_mb", 20000), "of memory, the machine has 32768"),
        (_set("groups/graph/cores", 3), "of cores, the machine has 8"),
        (_set("groups/inference/vram_mb", 5000), "of VRAM, the machine has 24576"),
        (_set("groups/api/memory_mb", 6000), "groups inside system take 7024 MB of its 6144 MB"),
        (_set("groups/api/inside", "attic"), "inside attic, which does not exist"),
        (_set("services/mcp/memory_mb", 1000), "services of group api take 2024 MB of memory"),
        (_set("services/mcp/group", "attic"), "service mcp is in group attic"),
        (_set("services/mcp/depends", ["nobody"]), "mcp needs nobody, which does not exist"),
        (_set("services/mcp/depends", ["analytics"]), "wait for each other in a circle"),
        (_set("services/claude/ports", {"http": 8080}), "port 8080 is used by mcp and claude"),
        (_set("services/claude/ports", {"other": 1234}), "claude has no port http to check"),
        (_set("services/claude/ports", {"http": 70000}), "less than or equal to 65535"),
        (_set("services/claude/colour", "red"), "Extra inputs are not permitted"),
        (_set("version", 2), "Input should be 1"),
    ],
)
def test_a_table_that_does_not_add_up_does_not_load(
    raw_table: Callable[[], dict[str, Any]],
    change: Callable[[dict[str, Any]], None],
    complaint: str,
) -> None:
    table = raw_table()
    Appliance.model_validate(table)
    change(table)
    with pytest.raises(ValidationError) as caught:
        Appliance.model_validate(table)
    assert complaint in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"cannot read the table .*nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


def test_what_is_not_toml_is_said_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "table.toml"
    path.write_text("version = 1\n[machine\n")
    with pytest.raises(TableError, match=r"not TOML.*line 2"):
        load(path)


def test_the_environment_names_another_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table.toml"
    path.write_text("version = 9")
    monkeypatch.setenv("JIMBOT_TABLE", str(path))
    with pytest.raises(TableError, match="version: Input should be 1"):
        load()


def test_an_unknown_service_is_answered_with_the_known_ones() -> None:
    with pytest.raises(TableError, match=r"unknown service 'nope'.*mcp, analytics"):
        load().service("nope")


def test_a_table_of_before_that_names_what_nothing_reads_any_more_is_read(
    raw_table: Callable[[], dict[str, Any]],
) -> None:
    table = raw_table()
    for row in table["environments"].values():
        row["require_tls"] = True
    assert Appliance.model_validate(table) == Appliance.model_validate(raw_table())


def test_an_evaluation_has_no_more_games_than_seeds_are_held_out(
    raw_table: Callable[[], dict[str, Any]],
) -> None:
    table = raw_table()
    table["training"]["evaluation_games"] = HELD_OUT
    Appliance.model_validate(table)
    table["training"]["evaluation_games"] = HELD_OUT + 1
    with pytest.raises(ValidationError, match=r"training\.evaluation_games"):
        Appliance.model_validate(table)
