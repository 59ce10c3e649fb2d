from __future__ import annotations

import pytest
from pydantic import ValidationError

from jimbot.appliance.training import Curriculum
from jimbot.training.curriculum import Ladder, Level, Standing

RULES = Curriculum(
    stakes=("White", "Red", "Gold"), goals=(2, 8), games=100, advance=0.6, retreat=0.1
)


def test_levels_go_through_a_stakes_goals_before_the_next_stake() -> None:
    assert Ladder(RULES, "White").levels == [
        *(Level("White", 2), Level("White", 8)),
        *(Level("Red", 2), Level("Red", 8)),
        *(Level("Gold", 2), Level("Gold", 8)),
    ]


def test_it_begins_at_the_tables_stake() -> None:
    assert Ladder(RULES, "Red").level == Level("Red", 2)
    assert Ladder(RULES, "Black").levels == [Level("Black", 2), Level("Black", 8)]


def test_it_goes_up_when_enough_games_are_won() -> None:
    ladder = Ladder(RULES, "White")
    assert not ladder.count(99, 99)  # too few to say
    assert ladder.count(1, 0)
    assert ladder.level == Level("White", 8)
    assert ladder.standing == Standing(level=1)
    assert not ladder.count(100, 59)
    assert ladder.count(100, 60)
    assert ladder.level == Level("Red", 2)


def test_it_goes_down_when_too_few_are_won_and_never_below_the_first() -> None:
    ladder = Ladder(RULES, "White", Standing(level=1))
    assert ladder.count(100, 9)
    assert ladder.level == Level("White", 2)
    assert not ladder.count(100, 0)
    assert ladder.level == Level("White", 2)


def test_it_stays_at_the_top() -> None:
    ladder = Ladder(RULES, "White", Standing(level=5))
    assert not ladder.count(100, 100)
    assert ladder.level == Level("Gold", 8)


def test_it_goes_on_from_what_a_checkpoint_kept() -> None:
    ladder = Ladder(RULES, "White", Standing(level=1))
    ladder.count(70, 70)
    again = Ladder(RULES, "White", Standing(**ladder.state()))
    assert again.level == Level("White", 8)
    assert again.count(30, 0)
    assert again.level == Level("Red", 2)


def test_a_shorter_table_than_the_checkpoints_is_no_error() -> None:
    assert Ladder(RULES, "Gold", Standing(level=5)).level == Level("Gold", 8)


@pytest.mark.parametrize("change", [{"goals": (8, 2)}, {"retreat": 0.6}, {"goals": (9,)}])
def test_rules_that_make_no_sense_do_not_load(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Curriculum.model_validate(RULES.model_dump() | change)
