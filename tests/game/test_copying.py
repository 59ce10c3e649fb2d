"""Copies and saves hold every field that the state has."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import jimbot.game.copying as copying
import jimbot.game.state as state
from jimbot.game import cards, hands
from jimbot.game._compiled import SOURCES

# Worked out from other fields by `refresh_jokers`.
DERIVED = {
    "acting",
    "four_fingers",
    "shortcut",
    "smeared",
    "pareidolia",
    "splash",
    "showman",
    "astronomer",
}


def fields(module: str, name: str) -> set[str]:
    """The attributes that a class assigns in its __init__, read from the source."""
    tree = ast.parse((SOURCES / f"{module}.py").read_text())
    (found,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name]
    (init,) = [n for n in found.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
    return {
        node.attr
        for node in ast.walk(init)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and isinstance(node.ctx, ast.Store)
    }


def test_copy_into_copies_every_field():
    source = (SOURCES / "copying.py").read_text()
    missing = [n for n in fields("state", "State") - DERIVED if f"    twin.{n} = " not in source]
    assert missing == []


def test_saves_hold_every_field():
    saved = {
        *copying.PLAIN,
        *copying.NUMBER_LISTS,
        *copying.TRUTH_LISTS,
        *copying.CARD_LISTS,
        *copying.OFFER_LISTS,
        "seed",
        "shuffle_key",
        "deck_kind",
        "stake_kind",
        "draws",
        "orbital_hands",
        "hand_levels",
        "jokers",
        "consumables",
        "tags",
        "stats",
        "blind",
        "pack",
    }
    assert fields("state", "State") - DERIVED == saved


def test_parts_hold_every_field():
    assert fields("cards", "Joker") == set(copying.JOKER_FIELDS)
    assert fields("cards", "Consumable") == set(copying.CONSUMABLE_FIELDS)
    assert fields("cards", "Blind") == set(copying.BLIND_FIELDS)
    assert fields("state", "Stats") == set(copying.STATS_FIELDS)
    for module, name in (("cards", "Joker"), ("cards", "Consumable"), ("cards", "Blind")):
        tree = ast.parse((SOURCES / f"{module}.py").read_text())
        (found,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name]
        (copy,) = [n for n in found.body if isinstance(n, ast.FunctionDef) and n.name == "copy"]
        text = ast.unparse(copy)
        for field in fields(module, name):
            assert f"self.{field}" in text, f"{name}.copy forgets {field}"


def test_the_modules_are_those_of_the_sources():
    for module in (state, cards, hands, copying):
        assert Path(inspect.getfile(module)).stem.startswith(module.__name__.rpartition(".")[2])
