"""What Claude costs: by day, model and purpose, a game and a won game, and where that leads."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from jimbot.appliance import Appliance, Home
from jimbot.appliance.claude import Budgets
from jimbot.claude.budget import window_end, window_start
from jimbot.claude.ledger import Ledger, Spent, ledger_path

DAY_S = 86_400.0
# The forecast goes by the mean of the days since then.
FORECAST_DAYS = 7
TIMEOUT_S = 3.0


class Costs(BaseModel):
    """A report on the money spent between two times (seconds since 1970); dollars throughout.

    A game is one that consulted Claude and ended in that time; the means are null without any.
    """

    since: float
    until: float
    dollars: float
    tokens: int
    requests: int
    by_day: list[Spent]
    by_model: list[Spent]
    by_purpose: list[Spent]
    games: int
    games_won: int
    per_game: float | None
    per_won_game: float | None
    this_month: float
    month_forecast: Annotated[float, Field(description="at the month's end, at this pace")]
    month_budget: float
    over_budget: Annotated[bool, Field(description="the forecast is past the month's budget")]


def report(ledger: Ledger, budgets: Budgets, *, days: int = 30, now: float | None = None) -> Costs:
    """The costs of the last `days` days, today included, and the month's forecast."""
    now = time.time() if now is None else now
    since, until = window_start("day", now) - (days - 1) * DAY_S, now + 1
    by_model = ledger.spent_by("model", since, until)
    games, won, on_games = ledger.games(since, until)
    month = ledger.spent_since(window_start("month", now)).dollars
    expected = forecast(ledger, month, now)
    return Costs(
        since=since,
        until=now,
        dollars=sum(each.dollars for each in by_model),
        tokens=sum(each.tokens for each in by_model),
        requests=sum(each.requests for each in by_model),
        by_day=ledger.spent_by("day", since, until),
        by_model=by_model,
        by_purpose=ledger.spent_by("purpose", since, until),
        games=games,
        games_won=won,
        per_game=on_games / games if games else None,
        per_won_game=on_games / won if won else None,
        this_month=month,
        month_forecast=expected,
        month_budget=budgets.month.dollars,
        over_budget=expected > budgets.month.dollars,
    )


def forecast(ledger: Ledger, month: float, now: float) -> float:
    """The month's money at its end, if it goes on like the last days that have any requests."""
    recent = now - FORECAST_DAYS * DAY_S
    times = ledger.request_times(recent)
    if not times:
        return month
    days = max((now - min(times)) / DAY_S, 1.0)
    pace = ledger.spent_since(recent).dollars / days
    return month + pace * (window_end("month", now) - now) / DAY_S


def read(appliance: Appliance, home: Home, *, days: int = 30) -> Costs:
    """The report of the gateway, when it runs; else from its ledger, which then nobody writes.

    Raises:
        StoreError: the ledger cannot be used.
    """
    url = f"{appliance.url('claude')}/api/v1/costs?days={days}"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            return Costs.model_validate_json(response.read())
    except (OSError, ValueError):
        pass
    path = ledger_path(home)
    if not path.exists():
        empty = Ledger(Path(":memory:"))
        return report(empty, appliance.claude.budgets, days=days)
    ledger = Ledger(path, read_only=True)
    try:
        return report(ledger, appliance.claude.budgets, days=days)
    finally:
        ledger.close()
