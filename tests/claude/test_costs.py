"""The ledger and what is read from it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jimbot.appliance import load
from jimbot.appliance.claude import ClaudeLimits
from jimbot.claude import costs, publish
from jimbot.claude.budget import Amount
from jimbot.claude.ledger import Ledger
from jimbot.claude.prices import Prices, Usage
from jimbot.claude.question import GameResult
from tests.claude.conftest import Make, question, run
from tests.claude.standin import USAGE, Manner

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()
DAY = 86_400


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite", clock)


def spend(
    ledger: Ledger, name: str, dollars: float, *, model: str = "m", purpose: str = "decision",
    games: tuple[str | None, ...] = (None,),
) -> None:  # fmt: skip
    ledger.open(name, model, purpose, Amount(1.0, 5000), games)
    ledger.settle(name, "ok", Amount(dollars, 100), Usage(60, 40), 250)


def test_prices_are_the_tables(table: ClaudeLimits) -> None:
    prices = Prices(table.models)
    usage = Usage(input=1_000_000, output=100_000, cache_write=10_000, cache_read=2_000_000)
    row = table.models["claude-opus-5-5"]
    expected = row.input + row.output / 10 + row.cache_write / 100 + row.cache_read * 2
    cost = prices.cost("claude-opus-5-5", usage)
    assert cost == (pytest.approx(expected), usage.tokens)
    assert prices.cost("claude-opus-5-5", usage, batch=True).dollars == pytest.approx(expected / 2)
    assert (
        prices.ceiling("claude-opus-5-5", 1000, 100).dollars
        >= prices.cost("claude-opus-5-5", Usage(0, 100, 1000, 0)).dollars
    )


def test_a_request_counts_at_its_ceiling_until_it_is_settled(
    ledger: Ledger, tmp_path: Path, clock: Clock
) -> None:
    ledger.open("a", "m", "decision", Amount(1.0, 5000), [None])
    assert ledger.spent_since(0) == (1.0, 5000)
    ledger.close()
    again = Ledger(tmp_path / "ledger.sqlite", clock)  # as after kill -9
    assert again.spent_since(0) == (1.0, 5000)
    assert [entry.status for entry in again.unsent()] == ["lost"]
    again.settle("a", "ok", Amount(0.25, 100), Usage(60, 40), 12)
    assert again.spent_since(NOON) == (0.25, 100)
    assert again.spent_since(NOON + 1) == (0, 0)
    again.close()


def test_the_report_adds_up(ledger: Ledger, clock: Clock, table: ClaudeLimits) -> None:
    clock.now = NOON - 2 * DAY
    spend(ledger, "a", 0.10, games=("g1", "g1"))
    clock.now = NOON - DAY
    spend(ledger, "b", 0.20, model="n", games=("g1", "g2"))
    clock.now = NOON
    spend(ledger, "c", 0.40, purpose="analysis", games=("g3",))
    ledger.game_ended("g1", won=True, ante=8)
    ledger.game_ended("g2", won=False, ante=3)
    ledger.game_ended("stranger", won=True, ante=8)
    found = costs.report(ledger, table.budgets, days=30, now=NOON)
    assert found.dollars == pytest.approx(0.7)
    assert (found.requests, found.tokens) == (3, 300)
    assert [(row.key, row.dollars) for row in found.by_day] == [
        ("2026-11-22", pytest.approx(0.1)),
        ("2026-11-23", pytest.approx(0.2)),
        ("2026-11-24", pytest.approx(0.4)),
    ]
    assert {row.key: row.dollars for row in found.by_model} == pytest.approx({"m": 0.5, "n": 0.2})
    assert {row.key: row.requests for row in found.by_purpose} == {"decision": 2, "analysis": 1}
    assert (found.games, found.games_won) == (2, 1)
    assert found.per_game == pytest.approx(0.15)  # g1: 0.1 + 0.1, g2: 0.1
    assert found.per_won_game == pytest.approx(0.3)
    # 0.7 over two days, for six and a half days more.
    assert found.month_forecast == pytest.approx(0.7 + 0.35 * 6.5)
    assert not found.over_budget
    today = costs.report(ledger, table.budgets, days=1, now=NOON)
    assert today.dollars == pytest.approx(0.4)
    ledger.close()


def test_nothing_spent_is_a_report_too(ledger: Ledger, table: ClaudeLimits) -> None:
    found = costs.report(ledger, table.budgets, now=NOON)
    assert (found.dollars, found.per_game, found.per_won_game, found.month_forecast) == (
        0, None, None, 0,
    )  # fmt: skip
    ledger.close()


def test_a_forecast_past_the_budget_says_so(ledger: Ledger, clock: Clock) -> None:
    spend(ledger, "a", 40.0)
    found = costs.report(ledger, load().claude.budgets, now=NOON)
    assert found.over_budget
    ledger.close()


def test_every_request_becomes_one_event(ledger: Ledger) -> None:
    spend(ledger, "a", 0.1)
    ledger.open("b", "m", "decision", Amount(1, 1), [None])
    (entry,) = ledger.unsent()
    event = publish.event(entry)
    assert (event.type, event.event_id, event.timestamp) == (
        "CLAUDE_REQUEST", "claude-a", int(NOON * 1000),
    )  # fmt: skip
    assert event.payload["dollars"] == 0.1
    assert event.payload["output_tokens"] == 40
    ledger.mark_sent(["a"])
    assert ledger.unsent() == []
    ledger.close()


def test_games_are_charged_through_the_gateway(bench: Make, table: ClaudeLimits) -> None:
    async def main() -> None:
        async with bench() as b:
            b.standin.otherwise = Manner()
            for n, game in enumerate(("g1", "g1", "g2")):
                await b.gateway.advise(question(n, game_id=game))
            await b.gateway.game_ended(GameResult(game_id="g1", won=True, ante=8))
            await b.gateway.game_ended(GameResult(game_id="g2", won=False, ante=2))
            found = costs.report(b.ledger, table.budgets)
            one = (USAGE["input_tokens"] * 2 + USAGE["cache_read_input_tokens"] * 0.1
                   + USAGE["output_tokens"] * 10) / 1e6  # fmt: skip
            assert found.dollars == pytest.approx(3 * one)
            assert found.per_game == pytest.approx(1.5 * one)
            assert found.per_won_game == pytest.approx(3 * one)

    run(main())


def test_a_restart_knows_what_was_spent(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            await b.gateway.advise(question(1))
            spent = b.gateway.budget.spent("month")
            used = b.gateway._bucket.used
        async with bench() as b:
            assert b.gateway.budget.spent("month") == pytest.approx(spent)
            assert b.gateway._bucket.used == used > 0
            assert (await b.gateway.advise(question(1))).source == "cache:exact"

    run(main())


def test_without_a_ledger_nothing_is_paid_for(bench: Make) -> None:
    async def main() -> None:
        async with bench(ledger=False) as b:
            advice = await b.gateway.advise(question(1))
            assert (advice.source, advice.declined) == ("strategist", "no ledger")
            assert b.standin.bodies == []
            assert b.gateway.health().status == "warn"

    run(main())


def test_a_ledger_that_cannot_be_written_stops_paying(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            b.ledger._db.execute("PRAGMA query_only = ON")  # as on a full disk
            advice = await b.gateway.advise(question(1))
            assert (advice.source, advice.declined) == ("strategist", "no ledger")
            assert b.standin.bodies == []
            assert "ledger" in b.gateway.health().reason
            b.ledger._db.execute("PRAGMA query_only = OFF")
            assert (await b.gateway.advise(question(2))).source == "claude"
            assert b.gateway.health().status == "ok"
            assert b.gateway.budget.reserved == (0, 0)

    run(main())
