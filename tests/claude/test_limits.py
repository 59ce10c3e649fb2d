"""The bucket, the share, the budgets, the breaker and the pace, each against a clock of its own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimbot.appliance.claude import Budget, Budgets, ClaudeLimits
from jimbot.claude import value
from jimbot.claude.breaker import Breaker
from jimbot.claude.bucket import HOUR_S, TokenBucket
from jimbot.claude.budget import Amount, BudgetKeeper, window_end, window_start
from jimbot.claude.errors import BudgetSpent
from jimbot.claude.pace import Pace
from jimbot.claude.question import Choice, Question, State
from jimbot.claude.share import DAY_S, DecisionShare
from tests.claude.conftest import Make, question, run
from tests.claude.standin import Manner


class Clock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC).timestamp()


@given(
    limit=st.integers(1, 60),
    burst=st.integers(1, 60),
    waits=st.lists(st.floats(0, 900), min_size=1, max_size=300),
)
def test_no_hour_sees_more_than_its_limit(limit: int, burst: int, waits: list[float]) -> None:
    clock, taken = Clock(), list[float]()
    bucket = TokenBucket(limit, burst, clock)
    for wait in waits:
        clock.now += wait
        if bucket.take():
            taken.append(clock.now)
    for start in taken:
        # The window's open end; an ulp of the refill may fall on its edge.
        assert sum(start <= at < start + HOUR_S - 1e-3 for at in taken) <= limit


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(100, 20, clock)
    assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]
    clock.now += HOUR_S / 80 + 0.01
    assert [bucket.take(), bucket.take()] == [True, False]
    assert bucket.used == pytest.approx(0.21)


def test_a_restart_does_not_fill_the_bucket() -> None:
    clock = Clock()
    bucket = TokenBucket(100, 20, clock)
    bucket.replay([clock.now - 60] * 20)
    assert sum(bucket.take() for _ in range(20)) == 1  # a minute's refill: 80/60 of one


def test_a_clock_set_back_gives_no_tokens() -> None:
    clock = Clock()
    bucket = TokenBucket(10, 1, clock)
    assert bucket.take()
    clock.now -= 10 * HOUR_S
    assert not bucket.take()
    clock.now += 1
    assert not bucket.take()


@given(st.lists(st.integers(1, 30), max_size=300))
def test_less_than_the_share_of_decisions_consult(counts: list[int]) -> None:
    share, decisions, consulted = DecisionShare(0.05, Clock()), 0, 0
    for count in counts:
        decisions += count
        share.decided(count)
        consulted += share.take()
        assert consulted == 0 or consulted / decisions < 0.05


def test_each_day_has_its_share() -> None:
    clock = Clock(NOON)
    share = DecisionShare(0.05, clock)
    share.decided(21)
    assert share.take()
    assert not share.take()
    kept = share.today
    clock.now += DAY_S
    share.decided(21)
    assert share.take()
    again = DecisionShare(0.05, clock)
    again.restore(*kept)
    assert again.decisions == 0, "yesterday's count is not today's"
    again.restore(*share.today)
    assert again.today == share.today


def budgets(**dollars: float) -> Budgets:
    return Budgets(
        warn_at=0.8,
        **{w: Budget(dollars=dollars.get(w, 100), tokens=10_000) for w in ("hour", "day", "month")},
    )


def keeper(clock: Clock, **dollars: float) -> BudgetKeeper:
    return BudgetKeeper(budgets(**dollars), lambda _: Amount(), clock)


def test_reservations_count_until_they_are_settled() -> None:
    keep = keeper(Clock(NOON), hour=1.0)
    first = keep.reserve(Amount(0.6, 10))
    with pytest.raises(BudgetSpent, match="this hour has no room"):
        keep.reserve(Amount(0.5, 10))
    keep.settle(first, Amount(0.1, 10))
    keep.settle(first, Amount(0.1, 10))  # settling twice counts once
    assert keep.spent("hour").dollars == pytest.approx(0.1)
    keep.reserve(Amount(0.9, 10))


@given(st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 1)), max_size=60))
def test_money_never_passes_its_limit(requests: list[tuple[float, float]]) -> None:
    keep = keeper(Clock(NOON), hour=1.0)
    for ceiling, part in requests:
        try:
            held = keep.reserve(Amount(ceiling, 1))
        except BudgetSpent:
            continue
        keep.settle(held, Amount(ceiling * part, 1))
    assert keep.spent("hour").dollars <= 1.0 + 1e-9


def test_tokens_stop_as_hard_as_money() -> None:
    keep = keeper(Clock(NOON))
    keep.settle(keep.reserve(Amount(0, 9_999)), Amount(0, 9_999))
    with pytest.raises(BudgetSpent):
        keep.reserve(Amount(0, 2))
    keep.reserve(Amount(0, 1))


def test_warns_at_eighty_percent_and_opens_with_the_next_window() -> None:
    clock = Clock(NOON)
    keep = keeper(clock, hour=1.0, day=1.1)
    keep.settle(keep.reserve(Amount(0.79, 1)), Amount(0.79, 1))
    assert keep.warnings() == []
    keep.settle(keep.reserve(Amount(0.2, 1)), Amount(0.2, 1))
    assert keep.warnings() == [
        "99% of this hour's money is used",
        "90% of this day's money is used",
    ]
    clock.now += 3600
    assert keep.warnings() == ["90% of this day's money is used"]
    with pytest.raises(BudgetSpent, match="this day"):
        keep.reserve(Amount(0.2, 1))
    clock.now -= 7200
    with pytest.raises(BudgetSpent):  # a clock set back does not open anything
        keep.reserve(Amount(0.2, 1))


def test_windows_follow_the_utc_calendar() -> None:
    moment = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    assert window_start("hour", moment) == moment - 3599
    assert window_end("hour", moment) == moment + 1
    assert window_start("month", moment) == datetime(2026, 12, 1, tzinfo=UTC).timestamp()
    assert window_end("month", moment) == moment + 1


def test_the_breaker_opens_after_three_failures_and_tries_one_after_a_minute() -> None:
    clock = Clock()
    breaker = Breaker(3, 60, clock)
    for _ in range(2):
        assert breaker.allow()
        breaker.failed()
    breaker.succeeded()
    for _ in range(3):
        assert breaker.allow()
        breaker.failed()
    assert (breaker.state, breaker.allow()) == ("open", False)
    clock.now += 60
    assert breaker.state == "half-open"
    assert [breaker.allow(), breaker.allow()] == [True, False]
    breaker.failed()
    assert (breaker.state, breaker.allow()) == ("open", False)
    clock.now += 60
    assert breaker.allow()
    breaker.abandoned()  # said nothing: the next one may try
    assert breaker.allow()
    breaker.succeeded()
    assert breaker.state == "closed"


def test_the_best_questions_pass_the_bar_when_money_is_short() -> None:
    clock = Clock()
    pace = Pace(0.1, clock)
    assert pace.bar(0.001, 1.0) == 0.1
    for n in range(100):
        clock.now += 1
        pace.observe(n / 100, 100)
    assert pace.bar(0.1, 1.0) == pytest.approx(0.9, abs=0.02)  # one in ten can be afforded
    assert pace.bar(0.0, 1.0) == pytest.approx(0.99)
    assert pace.bar(10.0, 1.0) == 0.1
    assert pace.bar(10.0, 0.002) == pytest.approx(0.8, abs=0.02)  # one in five by the share


WEIGHT = {"boss": 1.0, "voucher": 0.9, "shop": 0.6, "play": 0.4}


def played(required: float, score: float, **changes: object) -> Question:
    legal = (Choice(key="play:a", label="a", features={"score": score}), Choice(key="b", label="b"))
    state = State(required=required, hands_left=4).model_copy(update=changes)
    return question(kind="play", state=state, legal=legal, probabilities=(0.5, 0.5))


def test_value_grows_with_doubt_danger_kind_and_ante() -> None:
    def of(q: Question) -> float:
        return value.of_information(q, WEIGHT)

    sure = question(probabilities=(0.98, 0.01, 0.01))
    assert of(sure) < 0.1 < of(question())
    assert of(question(kind="voucher")) > of(question(kind="shop"))
    assert of(played(1000, 10)) > of(played(100, 200))
    assert of(played(1000, 10, boss=True)) > of(played(1000, 10))
    assert of(played(1000, 10, ante=8)) > of(played(1000, 10, ante=1))
    assert of(question(legal=(Choice(key="a", label="a"),), probabilities=())) == 0


@given(
    p=st.lists(st.floats(0, 1), min_size=3, max_size=3),
    required=st.floats(0, 1e12), score=st.floats(-1e9, 1e12), ante=st.integers(0, 39),
)  # fmt: skip
def test_value_is_a_share(p: list[float], required: float, score: float, ante: int) -> None:
    q = played(required, score, ante=ante).model_copy(update={"probabilities": tuple(p[:2])})
    assert 0 <= value.of_information(q, WEIGHT) <= 1


def test_the_gateway_declines_by_each_limit(bench: Make) -> None:
    async def declined(
        expected: str, *, asked: int, decisions: int = 100, **limits: object
    ) -> None:
        async with bench(**limits) as b:
            answers = [
                await b.gateway.advise(question(1000 * len(limits) + n + asked * 10,
                                                decisions=decisions, deadline_ms=600))
                for n in range(asked + 1)
            ]  # fmt: skip
            assert [a.source for a in answers[:asked]] == ["claude"] * asked
            assert (answers[-1].source, answers[-1].declined) == ("strategist", expected)
            assert len(b.standin.bodies) == asked

    async def main() -> None:
        # A gateway finds the ledger of the one before: the share goes first.
        await declined("share", asked=0, decision_share=0.05, decisions=1)
        await declined("short deadline", asked=0, least_deadline_ms=700)
        await declined("low value", asked=0, least_value=1.0)
        await declined("too large", asked=0, max_prompt_chars=10)
        await declined("rate", asked=1, requests_per_hour=1, burst=1)

    run(main())


def test_the_gateway_stops_hard_at_its_budget_and_gives_back_what_it_took(bench: Make) -> None:
    async def main() -> None:
        hour = Budget(dollars=0.05, tokens=10**6)
        async with bench(budgets=Budgets(hour=hour, day=hour, month=hour, warn_at=0.8)) as b:
            assert (await b.gateway.advise(question(1))).source == "claude"
            b.gateway.reserve(Amount(0.045, 1))
            rate, consulted = b.gateway._bucket.used, b.gateway._share.consulted
            advice = await b.gateway.advise(question(2))
            assert (advice.source, advice.declined) == ("strategist", "budget")
            assert (b.gateway._bucket.used, b.gateway._share.consulted) == (rate, consulted)
            assert len(b.standin.bodies) == 1
            health = b.gateway.health()
            assert health.status == "warn"
            assert "of this hour's money is used" in health.reason
            assert b.metric("budget_used_ratio", window="day", unit="dollars") > 0.9

    run(main())


def test_the_breaker_spares_the_api(bench: Make) -> None:
    async def main() -> None:
        async with bench() as b:
            b.standin.otherwise = Manner(status=500)
            answers = [await b.gateway.advise(question(n)) for n in range(6)]
            assert [a.declined for a in answers] == ["server error"] * 3 + ["breaker"] * 3
            assert len(b.standin.bodies) == 3
            assert b.gateway.health().status == "warn"
            assert "breaker" in b.gateway.health().reason

    run(main())


def test_less_than_five_percent_consult_over_a_long_run(bench: Make, table: ClaudeLimits) -> None:
    async def main() -> None:
        async with bench(decision_share=table.decision_share) as b:
            sources = [
                (await b.gateway.advise(question(n, decisions=1))).source for n in range(400)
            ]
            consulted = sources.count("claude")
            assert 10 <= consulted < 0.05 * 400

    run(main())


@pytest.mark.parametrize("deadline_ms", [100, 500])
def test_no_answer_is_later_than_its_deadline(bench: Make, deadline_ms: int) -> None:
    """But for what the machine itself holds everybody up, which a second task measures."""
    stalled = 0.0

    async def watch() -> None:
        nonlocal stalled
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(0.002)
            stalled = max(stalled, loop.time() - began - 0.002)

    async def main() -> None:
        nonlocal stalled
        async with bench(request_timeout_s=2.0) as b:
            b.standin.otherwise = Manner(wait_s=1.0)
            loop = asyncio.get_running_loop()
            watching = asyncio.create_task(watch())
            for n in range(5):
                began, stalled = loop.time(), 0.0
                advice = await b.gateway.advise(question(n, deadline_ms=deadline_ms))
                assert loop.time() - began <= deadline_ms / 1000 + stalled
                assert (advice.source, advice.declined) == ("strategist", "deadline")
            await asyncio.sleep(1.5)
            watching.cancel()
            assert b.metric("late_total") == 5
            advice = await b.gateway.advise(question(0, deadline_ms=deadline_ms))
            assert advice.source == "cache:exact", "a late answer is kept"

    run(main())
