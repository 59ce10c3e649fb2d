"""Seeds deal what the real game deals: every field of the goldens, exactly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jimbot.game import Action, ActionKind, Run, analyse

GOLDENS = Path(__file__).parent / "goldens"
ANALYSES = sorted(path for path in GOLDENS.glob("*.json") if path.stem != "opening_hands")


def _read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_the_goldens_are_here():
    assert {path.stem for path in ANALYSES} == {
        "red_white",
        "red_gold",
        "ghost_white",
        "zodiac_white",
        "nebula_white",
        "magic_white",
        "erratic_white",
        "abandoned_white",
    }
    counts = {path.stem: len(_read(path)["seeds"]) for path in ANALYSES}
    assert counts["red_white"] == 80
    assert counts["red_gold"] == 30
    assert sum(counts.values()) == 170


@pytest.mark.parametrize("path", ANALYSES, ids=lambda path: path.stem)
def test_analyse_equals_the_golden(path):
    golden = _read(path)
    for seed, antes in golden["seeds"].items():
        assert analyse(seed, golden["deck"], golden["stake"]) == antes, seed


def test_opening_hands():
    golden = _read(GOLDENS / "opening_hands.json")
    assert len(golden["seeds"]) == 30
    for seed, cards in golden["seeds"].items():
        run = Run(seed, golden["deck"], golden["stake"])
        run.step(Action(ActionKind.SELECT_BLIND))
        assert [[card.suit_name, card.rank_name] for card in run.hand] == cards, seed
