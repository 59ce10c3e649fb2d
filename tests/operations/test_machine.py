from __future__ import annotations

import psutil
import pytest

from jimbot.appliance import load
from jimbot.operations.errors import MachineTooSmall, OperationError
from jimbot.operations.machine import Resources, choose_profile, resources


@pytest.mark.parametrize(
    ("has", "profile"),
    [
        (Resources(32000, 8), "workstation"),
        (Resources(32000, 7), "laptop"),
        (Resources(16000, 4), "laptop"),
        (Resources(8000, 2), "ci"),
    ],
)
def test_the_machine_gets_the_largest_profile_that_fits(has: Resources, profile: str) -> None:
    assert choose_profile(load(), "auto", has) == profile


@pytest.mark.parametrize("name", ["auto", "workstation"])
def test_a_machine_too_small_is_refused_with_both_figures(name: str) -> None:
    with pytest.raises(MachineTooSmall, match=r"has 4000 MB and 2 cores.*needs \d+ MB"):
        choose_profile(load(), name, Resources(4000, 2))


def test_an_unknown_profile_is_answered_with_the_known_ones() -> None:
    with pytest.raises(OperationError, match="auto, workstation, laptop, ci"):
        choose_profile(load(), "huge")


def test_resources_are_those_of_this_machine() -> None:
    has = resources()
    assert 0 < has.memory_mb <= psutil.virtual_memory().total >> 20
    assert 1 <= has.cores <= (psutil.cpu_count() or 1)
