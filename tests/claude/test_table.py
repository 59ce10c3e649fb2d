"""The gateway's rows of the table: what does not hold does not load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from jimbot.appliance.claude import ClaudeLimits


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"purposes": {"decision": "claude-x", "analysis": "claude-opus-5-5"}}, "no price for"),
        ({"purposes": {"decision": "claude-opus-5-5"}}, "no model for analysis"),
        ({"base_urls": ["http://api.example.org"]}, "neither https nor on this machine"),
        ({"base_urls": []}, "at least 1"),
        ({"decision_share": 1.5}, "less than or equal to 1"),
        ({"requests_per_hour": 0}, "greater than or equal to 1"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_a_bad_row_is_refused(
    raw_table: Callable[[], dict[str, Any]], change: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        ClaudeLimits.model_validate(raw_table()["claude"] | change)


def test_budgets_grow_with_their_windows(raw_table: Callable[[], dict[str, Any]]) -> None:
    rows = raw_table()["claude"]
    rows["budgets"]["day"]["dollars"] = 0.5
    with pytest.raises(ValidationError, match="must grow in this order"):
        ClaudeLimits.model_validate(rows)


def test_the_mission_is_in_the_table(table: ClaudeLimits) -> None:
    assert table.requests_per_hour == 100
    assert table.decision_share == 0.05
    assert (table.breaker_failures, table.breaker_open_s) == (3, 60)
    assert table.batch_window_ms == 100
    assert table.budgets.warn_at == 0.8
    ordered = sorted(table.kind_weight, key=lambda kind: -table.kind_weight[kind])
    assert set(ordered[:4]) == {"boss", "synergy", "voucher", "spectral"}
