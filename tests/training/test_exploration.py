from __future__ import annotations

import pytest

from jimbot.appliance import training as table
from jimbot.training.exploration import LEAST, MOST, Exploration, target

RULES = table.Exploration(first=0.5, last=0.1, steps=1000)


def test_the_target_falls_straight_and_then_stays() -> None:
    assert [target(RULES, steps) for steps in (0, 500, 1000, 5000)] == pytest.approx(
        [0.5, 0.3, 0.1, 0.1]
    )


def test_too_little_entropy_is_rewarded_more_and_too_much_less() -> None:
    explorer = Exploration(0.01)
    assert explorer.observe(0.2, 0.3) > 0.01
    explorer = Exploration(0.01)
    assert explorer.observe(0.4, 0.3) < 0.01
    explorer = Exploration(0.01)
    assert explorer.observe(0.3, 0.3) == pytest.approx(0.01)


def test_one_odd_iteration_changes_little() -> None:
    explorer = Exploration(0.01)
    assert explorer.observe(100.0, 0.3) > 0.009
    assert explorer.observe(0.0, 100.0) < 0.011


@pytest.mark.parametrize(("entropy", "bound"), [(5.0, LEAST), (0.0, MOST)])
def test_it_stays_in_its_bounds(entropy: float, bound: float) -> None:
    explorer = Exploration()
    for _ in range(2000):
        explorer.observe(entropy, 0.3)
    assert explorer.coefficient == bound


def test_it_brings_entropy_to_its_target() -> None:
    """Against a policy whose entropy follows the bonus, as a policy's does, with some delay."""
    explorer = Exploration()
    entropy = 1.5
    for _ in range(3000):
        entropy += 0.1 * (40 * explorer.coefficient - entropy)
        explorer.observe(entropy, 0.4)
    assert entropy == pytest.approx(0.4, abs=0.02)
