"""The trained weights that come with the package."""

from __future__ import annotations

from pathlib import Path

import jimbot.policy
from jimbot.appliance import Home
from jimbot.game import Run
from jimbot.policy import LEARNED, SHIPPED, learned_file, make
from jimbot.policy.evaluate import evaluate, play
from jimbot.policy.seeds import held_out_seeds

FILE = Path(jimbot.policy.__file__).parent / SHIPPED


def test_they_are_small() -> None:
    assert FILE.stat().st_size < 3_000_000


def test_a_home_without_an_export_plays_them(home: Home) -> None:
    assert learned_file(home) == FILE
    policy = make(LEARNED, home=home)
    assert policy.name.startswith("ppo-")
    run = Run("ALEEB")
    play(policy, run)
    assert run.over


def test_they_have_learned(home: Home) -> None:
    """Far above chance, whose mean ante is 1, their imitated start, at 5.6, and the heuristic."""
    assert evaluate(make(LEARNED, home=home), held_out_seeds(20)).mean_ante > 7.0
