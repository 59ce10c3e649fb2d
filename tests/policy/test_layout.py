from __future__ import annotations

import re
from pathlib import Path

from jimbot.policy import layout

DOCS = Path(__file__).parents[2] / "docs" / "environment.md"


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the page."""
    section = DOCS.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_blocks_follow_each_other_without_gaps() -> None:
    first = 0
    for block in layout.BLOCKS.values():
        assert block.first == first
        first += block.size
    assert first == layout.ROWS == len(layout.BLOCK_OF_ROW)


def test_the_page_lists_every_block_with_its_rows() -> None:
    documented = {name: rows for name, rows, *_ in rows_of("Actions")}
    assert documented == {
        block.name: str(block.first)
        if block.size == 1
        else f"{block.first}–{block.first + block.size - 1}"
        for block in layout.BLOCKS.values()
    }


def test_the_page_lists_every_column() -> None:
    documented = [(int(number), name) for number, name, *_ in rows_of("Rows")]
    assert documented == list(enumerate(layout.COLUMNS))


def test_the_page_lists_the_state() -> None:
    documented = {}
    for places, name, *_ in rows_of("State"):
        first, _, last = places.partition("–")
        documented[name] = (int(first), int(last or first) - int(first) + 1)
    assert documented == layout.STATE


def test_the_page_lists_the_items() -> None:
    documented = {name: int(re.match(r"\d+", numbers)[0]) for numbers, name, *_ in rows_of("Items")}
    assert documented == {
        "nothing": 0,
        "poker hand": layout.FIRST_HAND,
        "what a discard keeps": layout.FIRST_KEEP,
        "enhancement": layout.FIRST_ENHANCEMENT,
        "joker": layout.FIRST_JOKER,
        "consumable": layout.FIRST_CONSUMABLE,
        "voucher": layout.FIRST_VOUCHER,
        "pack": layout.FIRST_PACK,
        "tag": layout.FIRST_TAG,
        "blind": layout.FIRST_BLIND,
    }
