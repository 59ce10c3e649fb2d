"""A little of the soak in every test run; `make soak` plays 100,000 games."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.game.soak import play


@pytest.mark.parametrize("start", range(0, 60, 10))
def test_random_games(start):
    for number in range(start, start + 10):
        actions, ante, trouble = play(number)
        assert not trouble
        assert actions > 0
        assert ante >= -2


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_100_000_random_games():
    games = os.environ.get("SOAK_GAMES", "100000")
    done = subprocess.run([sys.executable, "-m", "tests.game.soak", "--games", games], check=False)
    assert done.returncode == 0
