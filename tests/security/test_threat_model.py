"""Every row of SECURITY.md's threats names a test that is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (T\d+) \|.*\| `(tests/[^`:]+)(?:::(\w+))?` \|$", re.MULTILINE)
ROWS = _ROW.findall((ROOT / "SECURITY.md").read_text("utf-8"))


def test_no_row_is_without_a_proof() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert len(re.findall(r"^\| T\d+ \|", text, re.MULTILINE)) == len(ROWS) >= 26
    assert [row[0] for row in ROWS] == [f"T{number}" for number in range(1, len(ROWS) + 1)]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_the_proof_of_a_row_is_there_and_runs(row: tuple[str, str, str]) -> None:
    _, file, name = row
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if not name:
        assert any(each.startswith("test_") for each in found)
        return
    marks = [ast.unparse(mark) for mark in found[name].decorator_list]
    assert not [mark for mark in marks if "skip" in mark or "soak" in mark or "xfail" in mark]
    assert any(isinstance(node, ast.Assert | ast.With) for node in ast.walk(found[name]))
