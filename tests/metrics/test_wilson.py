from __future__ import annotations

from math import sqrt

import pytest

from jimbot.metrics.wilson import Z95, wilson


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 10), (10, 10), (1, 1), (3, 10), (500, 1000), (1, 100_000)]
)
def test_bounds_are_the_shares_that_the_trials_just_do_not_rule_out(
    successes: int, trials: int
) -> None:
    # What defines the interval: a share p is ruled out when the one seen lies further than z
    # standard errors of p away.
    share = successes / trials
    for bound in wilson(successes, trials):
        if 0 < bound < 1:
            assert abs(share - bound) == pytest.approx(Z95 * sqrt(bound * (1 - bound) / trials))


def test_extremes() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10) == (0.0, pytest.approx(0.27753, abs=1e-5))
    assert wilson(10, 10) == (pytest.approx(0.72247, abs=1e-5), 1.0)


def test_more_trials_say_more() -> None:
    bounds = [wilson(3 * n, 10 * n) for n in (1, 10, 100, 1000)]
    assert bounds == sorted(bounds)  # the lower bound grows ...
    assert [high for _, high in bounds] == sorted((high for _, high in bounds), reverse=True)
