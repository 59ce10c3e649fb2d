from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jimbot.appliance import Appliance
from jimbot.appliance.logs import Logs


def test_the_environment_says_how_long_logs_are_kept(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JIMBOT_ENVIRONMENT", raising=False)
    assert appliance.logs.days_kept == appliance.logs.days["production"]
    monkeypatch.setenv("JIMBOT_ENVIRONMENT", "development")
    assert appliance.logs.days_kept == appliance.logs.days["development"]
    monkeypatch.setenv("JIMBOT_ENVIRONMENT", "nonsense")
    assert appliance.logs.days_kept == appliance.logs.days["production"]


def test_every_environment_has_its_days(appliance: Appliance) -> None:
    assert set(appliance.logs.days) == set(type(appliance.environments).model_fields)


def test_a_default_without_days_is_refused(raw_table: Callable[[], dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="days has none for night"):
        Logs.model_validate(raw_table()["logs"] | {"environment": "night"})
