"""Which appliance `jimbot test-integration` plays on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.operations import integration


def test_what_the_system_runs_is_played_on_and_no_second_one_is_started(
    appliance: Appliance,
    home: Home,
    by_system: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_system("mcp", "analytics", "claude")
    played: list[Home] = []

    def started(*_: Any) -> Any:
        raise AssertionError("a second appliance")

    def test(_: Appliance, on: Home, tested: integration.Tested, tell: Any) -> integration.Tested:
        played.append(on)
        return tested

    monkeypatch.setattr(integration, "_started", started)
    monkeypatch.setattr(integration, "_test", test)
    tested = integration.run(appliance, home, None, lambda line: None)
    assert played == [home]
    assert not tested.scratch
