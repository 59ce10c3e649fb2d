from __future__ import annotations

import re
from pathlib import Path

import pytest

from jimbot.appliance import Appliance
from tests.nix import lab
from tests.nix.lint import problems


@pytest.mark.parametrize("path", lab.nix_files(), ids=lambda path: str(path.relative_to(lab.ROOT)))
def test_every_file_parses(nix: None, path: Path) -> None:
    lab.run("nix-instantiate", "--parse", path)


def test_no_file_has_anything_to_trip_over() -> None:
    assert [problem for path in lab.nix_files() for problem in problems(path)] == []


BAD = """{ a, b, ... }:
let
  x = 1;


   z = a;\t
in
{ v = z; }"""


def test_the_lint_sees_what_it_is_for(tmp_path: Path) -> None:
    path = tmp_path / "bad.nix"
    path.write_text(BAD)
    said = "\n".join(problems(path))
    for what in (
        "1: the argument b is not used",
        "3: x is bound and not used",
        "5: two empty lines",
        "6: a tab",
        "6: blanks at the end",
        "6: indented by an odd number",
        "one newline",
    ):
        assert what in said


def test_no_number_of_the_table_is_repeated(table: Appliance) -> None:
    ports = {str(port) for service in table.services.values() for port in service.ports.values()}
    sizes = {str(group.memory_mb) for group in table.groups.values()}
    sizes |= {str(service.memory_mb) for service in table.services.values()}
    found = [
        f"{path.relative_to(lab.ROOT)}: {number}"
        for path in lab.nix_files()
        if "standin" not in path.parts
        for number in re.findall(r"\b\d{3,5}\b", path.read_text())
        if number in (ports | sizes) - {"1024"}  # bytes in a KiB
    ]
    assert found == []
